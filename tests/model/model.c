// SPDX-License-Identifier: GPL-2.0
/*
 * model - the extents of zeroed pages, in a process
 *
 *	model OPERATIONS SEED
 *
 * Includes functions.inc, the functions of the patched kernel that merge, split,
 * mark and allocate free blocks, and calls them at random. What is in each page,
 * zeros or something else, is kept in an array of its own, the truth. After each
 * operation that allocates, and for all memory every CHECK_EVERY operations, what
 * the flags say is compared with the truth. Any difference ends the process, as
 * does any complaint of the kernel's code.
 *
 * Prints figures, as scripts/vmtest/results.py describes: what has been done.
 */
#include "kernel.h"

#define CHECK_EVERY	(NR_PAGES / 8)	/* so that checking takes about half of the time */
#define MAX_HELD	(NR_PAGES / 2)
#define PHASE		512	/* operations */

static struct page page_array[NR_PAGES];
static unsigned char type_array[NR_PAGES >> pageblock_order];
static bool truth[NR_PAGES];	/* is the page zero? */
static bool lost[NR_PAGES];	/* taken off the buddy lists because it has failed */

struct page *const pages = page_array;
unsigned char *const pageblock_types = type_array;
struct zone the_zone;
long nr_free_prezeroed;
unsigned long prezero_nr_marked;

static struct {
	unsigned long hits, misses, cleared, zeroed, reported, splits, moved, failed, repaired;
} done;

/* Of the kernel, these only forward to functions below. */
static void free_one_page(struct zone *zone, struct page *page, unsigned long pfn,
			  unsigned int order, fpi_t fpi_flags);
static void add_to_free_list(struct page *page, struct zone *zone, unsigned int order,
			     int migratetype, bool tail);

static inline void prezero_count(struct page *page, unsigned int order, gfp_t gfp,
				 unsigned int zeroed)
{
	(void)page;
	(void)gfp;
	nr_free_prezeroed -= zeroed;
	done.hits += zeroed;
	done.misses += (1UL << order) - zeroed;
}

#include "functions.inc"

static void free_one_page(struct zone *zone, struct page *page, unsigned long pfn,
			  unsigned int order, fpi_t fpi_flags)
{
	split_large_buddy(zone, page, pfn, order, fpi_flags);
}

static void add_to_free_list(struct page *page, struct zone *zone, unsigned int order,
			     int migratetype, bool tail)
{
	__add_to_free_list(page, zone, order, migratetype, tail);
	account_freepages(zone, 1 << order, migratetype);
}

void clear_highpages_kasan_tagged(struct page *page, unsigned int nr_pages)
{
	if (!nr_pages)
		complain("no pages are cleared");
	done.cleared += nr_pages;
	while (nr_pages--)
		truth[page_to_pfn(page++)] = true;
}

/* Blocks that are allocated, or isolated for compaction */
static struct held {
	struct page *page;
	unsigned int order;
	bool isolated;
} held[MAX_HELD];
static unsigned int nr_held;

static unsigned long long random_state;

/* What is done how often, which changes: of 32 operations, and of passes */
static struct {
	unsigned int allocations, passes, interrupted, step;
} phase;

/* xorshift64* */
static unsigned int below(unsigned int limit)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 2685821657736338717ULL >> 33) % limit;
}

/* Small orders are more likely. */
static unsigned int random_order(void)
{
	return below(1 + below(NR_PAGE_ORDERS));
}

static void dirty(struct page *page, unsigned int nr_pages)
{
	while (nr_pages--)
		truth[page_to_pfn(page++)] = false;
}

static void hold(struct page *page, unsigned int order, bool isolated)
{
	held[nr_held++] = (struct held){ page, order, isolated };
}

/* Remove a block at random from those of a kind that are held. */
static bool take_held(struct held *block, bool isolated)
{
	unsigned int start = below(nr_held + 1);

	for (unsigned int i = 0; i < nr_held; i++) {
		struct held *at = &held[(start + i) % nr_held];

		if (at->isolated != isolated)
			continue;
		*block = *at;
		*at = held[--nr_held];
		return true;
	}

	return false;
}

/* What post_alloc_hook() does. */
static void allocated(struct page *page, unsigned int order, bool zero)
{
	const unsigned int nr_pages = 1U << order;
	const unsigned long cleared = done.cleared, misses = done.misses;

	prezero_alloc_hook(page, order, zero ? __GFP_ZERO : 0, zero, zero);
	if (done.cleared - cleared != done.misses - misses)
		complain("other pages are cleared than those that missed");
	for (unsigned int i = 0; i < nr_pages; i++) {
		if (page[i].flags.f & __PG_PREZERO)
			complain("a page has a flag of free pages when it is handed out");
		if (zero && !truth[page_to_pfn(page + i)])
			complain("memory that was asked to be zero is not");
		page[i].refcount = 1;
	}
}

static void free_block(struct page *page, unsigned int order)
{
	for (unsigned int i = 0; i < 1U << order; i++) {
		page[i].refcount = 0;
		/* Whatever its user has left there. */
		page[i].__folio_index = below(NR_PAGE_ORDERS);
	}
	free_one_page(&the_zone, page, page_to_pfn(page), order,
		      below(4) ? FPI_NONE : FPI_TO_TAIL);
}

static void allocate(void)
{
	const unsigned int order = random_order();
	const bool zero = below(2);
	struct page *page;
	int mt = below(MIGRATE_PCPTYPES);

	if (nr_held == MAX_HELD)
		return;
	page = __rmqueue_smallest(&the_zone, order, mt, zero ? ALLOC_ZERO : 0);
	if (!page)
		page = __rmqueue_smallest(&the_zone, order, !mt, zero ? ALLOC_ZERO : 0);
	if (!page)
		return;

	allocated(page, order, zero);
	hold(page, order, false);
	/* Some users write to all of it, others to next to nothing. */
	switch (below(3)) {
	case 0:
		dirty(page, 1U << order);
		break;
	case 1:
		dirty(page + below(1U << order), 1);
	}
}

/* Free an allocation as a whole or in parts. */
static void release(void)
{
	unsigned int part;
	struct held block;

	if (!take_held(&block, false))
		return;
	part = below(2) ? block.order : below(block.order + 1);
	for (unsigned int i = 0; i < 1U << block.order; i += 1U << part)
		free_block(block.page + i, part);
}

/* Choose a free block, by order and type. */
static struct page *free_block_at_random(unsigned int *order, int *mt)
{
	const unsigned int start = below(NR_PAGE_ORDERS * MIGRATE_TYPES);

	for (unsigned int i = 0; i < NR_PAGE_ORDERS * MIGRATE_TYPES; i++) {
		const unsigned int which = (start + i) % (NR_PAGE_ORDERS * MIGRATE_TYPES);
		struct list_head *list, *entry;

		*order = which / MIGRATE_TYPES;
		*mt = which % MIGRATE_TYPES;
		list = &the_zone.free_area[*order].free_list[*mt];
		if (list_empty(list))
			continue;
		entry = list->next;
		for (unsigned int skip = below(4); skip && entry->next != list; skip--)
			entry = entry->next;
		return list_entry(entry, struct page, buddy_list);
	}

	return NULL;
}

/* What the kernel does about pages that fail while they are isolated. */
static void take_off_failed(struct page *page, unsigned int order)
{
	for (unsigned int i = 0; i < 1U << order; i++) {
		if (!PageHWPoison(page + i) || lost[page_to_pfn(page + i)])
			continue;
		if (!__take_page_off_buddy(page + i))
			complain("a page that has failed is not in the buddy lists");
		page[i].refcount = 1;
		lost[page_to_pfn(page + i)] = true;
		dirty(page + i, 1);
		done.failed++;
	}
}

/* A pass of the worker over one block, which may end in the middle. */
static void zero(void)
{
	unsigned int order, nr_pages, i, left = below(8) < phase.interrupted ? below(4) : ~0U;
	struct page *page;
	int mt;

	page = free_block_at_random(&order, &mt);
	if (!page)
		return;

	nr_pages = 1U << order;
	__isolate_free_block(page, order, mt);
	if (!below(16))
		SetPageHWPoison(page + below(nr_pages));
	for (i = 0; i < nr_pages && left; left--) {
		unsigned int run = prezero_zeroed_pages(page + i), marked;

		if (run) {
			i += run;
			continue;
		}
		do {
			run++;
		} while (run < phase.step && i + run < nr_pages &&
			 !prezero_zeroed_pages(page + i + run));
		if (!below(256))
			SetPageHWPoison(page + i + below(run));
		marked = prezero_zero_pages(page + i, run);
		done.zeroed += marked;
		/* The module stops there. Others may go on. */
		if (marked != run && below(2))
			break;
		i += run;
	}
	prezero_coalesce_block(page, order);
	/* They may have been repaired before anybody has taken them off. */
	for (i = 0; i < nr_pages; i++) {
		if (PageHWPoison(page + i) && !below(4)) {
			ClearPageHWPoison(page + i);
			done.repaired++;
		}
	}
	__putback_isolated_page(page, order, get_pageblock_migratetype(page));
	take_off_failed(page, order);
}

/* A hypervisor takes a block away and provides zeros instead. */
static void report(void)
{
	struct page *page;
	unsigned int order;
	int mt;

	page = free_block_at_random(&order, &mt);
	if (!page)
		return;

	__isolate_free_block(page, order, mt);
	prezero_unmark_pages(page, 1 << order);
	for (unsigned int i = 0; i < 1U << order; i++)
		truth[page_to_pfn(page + i)] = true;
	prezero_mark_reported(page, order);
	done.reported += 1UL << order;
	__putback_isolated_page(page, order, get_pageblock_migratetype(page));
}

/* Compaction isolates a block, may split it, and uses it or puts it back. */
static void isolate(void)
{
	struct page *page;
	unsigned int order;
	int mt;

	page = free_block_at_random(&order, &mt);
	if (!page || nr_held + 2 > MAX_HELD)
		return;

	__isolate_free_block(page, order, mt);
	if (order && below(2)) {
		prezero_split(page, order--);
		done.splits++;
		hold(page + (1UL << order), order, true);
	}
	hold(page, order, true);
}

static void put_back_or_use(void)
{
	struct held block;

	if (!take_held(&block, true))
		return;
	if (below(2) && putback_zeroed_block(block.page, block.order))
		return;

	allocated(block.page, block.order, below(2));
	dirty(block.page, 1U << block.order);
	hold(block.page, block.order, false);
}

/* A pageblock becomes one of another type, for instance because it is offlined. */
static void change_type(void)
{
	const unsigned int nr = below(NR_PAGES >> pageblock_order);
	struct page *first = pages + ((unsigned long)nr << pageblock_order);
	const int old = pageblock_types[nr], new = below(MIGRATE_TYPES);
	struct page *page;

	for (unsigned int order = pageblock_order + 1; order < NR_PAGE_ORDERS; order++) {
		page = pages + ALIGN_DOWN(page_to_pfn(first), 1UL << order);
		if (!PageBuddy(page) || buddy_order(page) != order)
			continue;

		/* It spans several pageblocks. */
		del_page_from_free_list(page, &the_zone, order, get_pageblock_migratetype(page));
		pageblock_types[nr] = new;
		split_large_buddy(&the_zone, page, page_to_pfn(page), order, FPI_NONE);
		done.moved++;
		return;
	}

	for (page = first; page < first + pageblock_nr_pages;) {
		unsigned int order;

		if (!PageBuddy(page)) {
			page++;
			continue;
		}
		order = buddy_order(page);
		move_to_free_list(page, &the_zone, order, old, new);
		page += 1UL << order;
		done.moved++;
	}
	pageblock_types[nr] = new;
}

/* A page that has failed is taken into use again. */
static void repair(void)
{
	struct page *page = pages + below(NR_PAGES);

	if (!lost[page_to_pfn(page)])
		return;
	done.repaired++;
	lost[page_to_pfn(page)] = false;
	ClearPageHWPoison(page);
	free_block(page, 0);
}

/* Check the extents of a block that is free or isolated; return its zeroed pages. */
static unsigned int check_block(struct page *page, unsigned int order)
{
	unsigned int zeroed = 0, nr;
	const bool any = PageExtent(page);

	for (unsigned int i = 0; i < 1U << order; i += nr) {
		nr = 1;
		if (page[i].refcount)
			complain("a free page is in use");
		if (!PageExtent(page + i)) {
			if (PageZero(page + i))
				complain("PG_zero without PG_extent");
			if (prezero_page_is_zero(page + i))
				complain("a raw page is taken for zero");
			continue;
		}
		if (!any)
			complain("an extent cannot be found from the start of its block");
		if (page[i].__folio_index > order)
			complain("an extent is larger than its block");
		nr = 1U << page[i].__folio_index;
		if (page_to_pfn(page + i) & (nr - 1) || i + nr > 1U << order)
			complain("an extent is not aligned, or crosses the end of its block");
		for (unsigned int j = i; j < i + nr; j++) {
			if (j > i && page[j].flags.f & __PG_PREZERO)
				complain("extents overlap");
			if (PageZero(page + i) && !truth[page_to_pfn(page + j)])
				complain("a page with PG_zero is not zero");
			if (PageZero(page + i) != prezero_page_is_zero(page + j))
				complain("a page of an extent is taken for what it is not");
		}
		if (PageZero(page + i))
			zeroed += nr;
	}

	return zeroed;
}

static void check_all(void)
{
	long nr_free = 0, zeroed = 0, total = 0;

	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		for (int mt = 0; mt < MIGRATE_TYPES; mt++) {
			struct page *page;

			list_for_each_entry(page, &the_zone.free_area[order].free_list[mt],
					    buddy_list) {
				if (!PageBuddy(page) || buddy_order(page) != order)
					complain("a block is in the wrong list");
				nr_free += 1L << order;
				zeroed += check_block(page, order);
			}
		}
	}
	total = nr_free;
	for (unsigned int i = 0; i < nr_held; i++) {
		total += 1L << held[i].order;
		if (held[i].isolated)
			zeroed += check_block(held[i].page, held[i].order);
	}
	for (unsigned int i = 0; i < NR_PAGES; i++) {
		total += lost[i];
		if ((pages[i].refcount || lost[i]) && pages[i].flags.f & __PG_PREZERO)
			complain("a page in use has a flag of free pages");
	}

	if (nr_free != the_zone.nr_free)
		complain("the number of free pages is wrong");
	if (zeroed != nr_free_prezeroed)
		complain("the number of zeroed pages is wrong");
	if (total != NR_PAGES)
		complain("pages are lost");
}

static void operate(void)
{
	const unsigned int what = below(32);

	if (what < phase.allocations)
		return allocate();
	if (what < 20)
		return release();
	if (what < 20 + phase.passes)
		return zero();

	switch (below(8)) {
	case 0:
		return change_type();
	case 1:
		return report();
	case 2:
		return repair();
	case 3 ... 4:
		return isolate();
	default:
		return put_back_or_use();
	}
}

int main(int argc, char **argv)
{
	unsigned long operations;

	if (argc != 3) {
		fprintf(stderr, "usage: model OPERATIONS SEED\n");
		return 2;
	}
	operations = strtoul(argv[1], NULL, 10);
	random_state = (strtoull(argv[2], NULL, 10) + 1) * 0x9e3779b97f4a7c15ULL;

	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		for (int mt = 0; mt < MIGRATE_TYPES; mt++)
			INIT_LIST_HEAD(&the_zone.free_area[order].free_list[mt]);
	for (unsigned int pfn = 0; pfn < NR_PAGES; pfn += MAX_ORDER_NR_PAGES)
		free_block(pages + pfn, MAX_PAGE_ORDER);

	for (unsigned long i = 0; i < operations; i++) {
		if (!(i % PHASE)) {
			phase.allocations = 4 + below(13);
			phase.passes = below(10);
			phase.interrupted = below(9);
			phase.step = 1 + below(8);
		}
		operate();
		if (!(i % CHECK_EVERY))
			check_all();
	}
	check_all();

	printf("# operations %lu\n# hits %lu\n# misses %lu\n# zeroed %lu\n# reported %lu\n"
	       "# splits %lu\n# moved %lu\n# failed %lu\n# repaired %lu\n", operations,
	       done.hits, done.misses, done.zeroed, done.reported, done.splits, done.moved,
	       done.failed, done.repaired);

	return 0;
}
