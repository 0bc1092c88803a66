/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the functions of the patched kernel need of it to run in a process, for
 * one zone of NR_PAGES pages, without concurrency.
 *
 * The geometry, MAX_PAGE_ORDER and pageblock_order, is set by the compiler's
 * command line.
 */
#ifndef _MODEL_KERNEL_H
#define _MODEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define noinline		__attribute__((noinline))
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
#define READ_ONCE(x)		(x)
#define WRITE_ONCE(x, value)	((x) = (value))
#define data_race(x)		(x)
#define BIT(nr)			(1UL << (nr))
#define ALIGN_DOWN(x, a)	((x) & ~((a) - 1))
#define IS_ALIGNED(x, a)	(!((x) & ((typeof(x))(a) - 1)))
#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define __ffs(x)		((unsigned int)__builtin_ctzl(x))
#define __fls(x)		(63U - __builtin_clzl(x))
#define smp_wmb()		do { } while (0)
#define cond_resched()		do { } while (0)
#define lockdep_assert_held(l)	do { } while (0)

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* A complaint of the kernel ends the process: each is a bug. */
#define complain(what) do {						\
	fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, __func__, what); \
	abort();							\
} while (0)
#define WARN_ON_ONCE(x)			({ if (x) complain(#x); false; })
#define VM_BUG_ON(x)			((void)WARN_ON_ONCE(x))
#define VM_BUG_ON_PAGE(x, page)		VM_BUG_ON(x)
#define VM_WARN_ON_ONCE(x)		VM_BUG_ON(x)
#define VM_WARN_ON_ONCE_PAGE(x, page)	VM_BUG_ON(x)
#define VM_WARN_ONCE(x, ...)		VM_BUG_ON(x)

typedef unsigned int gfp_t;
typedef int fpi_t;

#define __GFP_ZERO	0x100u
#define __GFP_MOVABLE	0x08u
#define gfpflags_allow_blocking(gfp)	true

#define ALLOC_ZERO	0x100u
#define want_init_on_alloc(gfp)		false

#define FPI_NONE		0
#define FPI_SKIP_REPORT_NOTIFY	1
#define FPI_TO_TAIL		2
#define FPI_NOLOCK		4

/* Lists */

struct list_head {
	struct list_head *next, *prev;
};

#define list_entry(ptr, type, member)		container_of(ptr, type, member)
#define list_first_entry(list, type, member)	list_entry((list)->next, type, member)
#define list_last_entry(list, type, member)	list_entry((list)->prev, type, member)
#define list_first_entry_or_null(list, type, member) \
	(list_empty(list) ? NULL : list_first_entry(list, type, member))

#define list_for_each_entry(pos, list, member)				\
	for ((pos) = list_first_entry(list, typeof(*(pos)), member);	\
	     &(pos)->member != (list);					\
	     (pos) = list_entry((pos)->member.next, typeof(*(pos)), member))

static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_empty(const struct list_head *list)
{
	return list->next == list;
}

static inline void list_add(struct list_head *entry, struct list_head *list)
{
	entry->next = list->next;
	entry->prev = list;
	list->next->prev = entry;
	list->next = entry;
}

static inline void list_add_tail(struct list_head *entry, struct list_head *list)
{
	list_add(entry, list->prev);
}

static inline void list_del(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
	entry->next = NULL;
	entry->prev = NULL;
}

static inline void list_move(struct list_head *entry, struct list_head *list)
{
	list_del(entry);
	list_add(entry, list);
}

static inline void list_move_tail(struct list_head *entry, struct list_head *list)
{
	list_del(entry);
	list_add_tail(entry, list);
}

/* Pages, with only those members that free pages use */

enum pageflags {
	PG_private,
	PG_private_2,
	PG_hwpoison,
	PG_extent = PG_private_2,
	PG_zero = PG_private,
};

#define __PG_PREZERO			(BIT(PG_extent) | BIT(PG_zero))
/* What is allowed in the model: nothing else is set. */
#define PAGE_FLAGS_CHECK_WHEN_FREE	(~(__PG_PREZERO | BIT(PG_hwpoison)))

struct page {
	struct {
		unsigned long f;
	} flags;
	struct list_head buddy_list;
	unsigned long __folio_index;
	unsigned long private;
	int refcount;
	bool buddy;
};

#define PAGE_FLAG(Name, bit)						\
static inline bool Page##Name(const struct page *page)			\
{									\
	return page->flags.f & BIT(bit);				\
}									\
static inline void SetPage##Name(struct page *page)			\
{									\
	page->flags.f |= BIT(bit);					\
}									\
static inline void ClearPage##Name(struct page *page)			\
{									\
	page->flags.f &= ~BIT(bit);					\
}

PAGE_FLAG(Extent, PG_extent)
PAGE_FLAG(Zero, PG_zero)
PAGE_FLAG(HWPoison, PG_hwpoison)

#define PageBuddy(page)			((page)->buddy)
#define __SetPageBuddy(page)		((page)->buddy = true)
#define __ClearPageBuddy(page)		((page)->buddy = false)
#define page_private(page)		((page)->private)
#define set_page_private(page, value)	((page)->private = (value))
#define buddy_order(page)		((unsigned int)page_private(page))
#define page_count(page)		((page)->refcount)
#define SetPageHWPoisonTakenOff(page)	do { } while (0)
#define page_reported(page)		false
#define __ClearPageReported(page)	do { } while (0)
#define page_is_guard(page)		((void)(page), false)
#define set_page_guard(zone, page, order)	((void)(page), false)
#define clear_page_guard(zone, page, order)	do { } while (0)

extern struct page *const pages;

#define page_to_pfn(page)	((unsigned long)((page) - pages))
#define pfn_to_page(pfn)	(pages + (pfn))

/* The zone */

#define MAX_ORDER_NR_PAGES	(1UL << MAX_PAGE_ORDER)
#define NR_PAGE_ORDERS		(MAX_PAGE_ORDER + 1)
#define pageblock_nr_pages	(1UL << pageblock_order)

/* As the worker clears 128 KiB at a time; small, so that several steps are needed */
#define PREZERO_CLEAR_PAGES	8U

enum migratetype { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_ISOLATE, MIGRATE_TYPES };
#define MIGRATE_PCPTYPES	2

struct free_area {
	struct list_head free_list[MIGRATE_TYPES];
	unsigned long nr_free;
};

struct zone {
	struct free_area free_area[NR_PAGE_ORDERS];
	long nr_free;
	int lock;
};

extern struct zone the_zone;
extern unsigned char *const pageblock_types;

#define page_zone(page)			((void)(page), &the_zone)
#define page_zone_id(page)		((void)(page), 0)
#define zone_is_initialized(zone)	true
#define bad_range(zone, page)		(page_to_pfn(page) >= NR_PAGES)
#define is_migrate_isolate(mt)		((mt) == MIGRATE_ISOLATE)
#define migratetype_is_mergeable(mt)	((mt) < MIGRATE_PCPTYPES)

#define get_pfnblock_migratetype(page, pfn) \
	((void)(page), (int)pageblock_types[(pfn) >> pageblock_order])
#define get_pageblock_migratetype(page)	get_pfnblock_migratetype(page, page_to_pfn(page))
#define set_pageblock_migratetype(page, mt) \
	(pageblock_types[page_to_pfn(page) >> pageblock_order] = (mt))

#define account_freepages(zone, nr_pages, mt)	((zone)->nr_free += (nr_pages))
#define __mod_zone_page_state(zone, item, nr)	((void)(nr))
#define page_reporting_count_free(zone, order, notify)	((void)(notify))
#define page_reporting_notify_free(zone, order)	do { } while (0)
#define pcp_allowed_order(order)		false
#define trace_mm_page_alloc_zone_locked(page, order, mt, pcp)	do { } while (0)
#define is_shuffle_order(order)			false
#define shuffle_pick_tail()			false

struct capture_control;
#define task_capc(zone)					NULL
#define compaction_capture(capc, page, order, mt)	((void)(capc), false)

static inline unsigned long __find_buddy_pfn(unsigned long pfn, unsigned int order)
{
	return pfn ^ (1UL << order);
}

/* Pre-zeroing: always enabled */

extern long nr_free_prezeroed;
extern unsigned long prezero_nr_marked;

#define prezero_enabled()			true
#define prezero_verifying()			false
#define prezero_verify_alloc(page, order, gfp)	do { } while (0)
#define trace_prezero_alloc_enabled()		false
#define trace_prezero_alloc(...)		do { } while (0)
#define mod_zone_page_state(zone, item, nr)	(nr_free_prezeroed += (nr))
#define count_vm_events(item, nr)		((void)(nr))
#define __count_vm_events(item, nr)		((void)(nr))

/* Clears the contents, which the model keeps apart. */
void clear_highpages_kasan_tagged(struct page *page, unsigned int nr_pages);

#endif /* _MODEL_KERNEL_H */
