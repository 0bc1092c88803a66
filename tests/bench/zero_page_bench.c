// SPDX-License-Identifier: GPL-2.0
/*
 * zero_page_bench - allocate memory on request, and measure the time
 *
 * Loads on any kernel, stock or patched, so that both can be compared. A line
 * written to /sys/kernel/debug/zero_page_bench/run, such as
 *
 *	pages order=9 count=128 rounds=5 zero=1 comp=1
 *
 * runs a measurement; reading the file gives the result of the last one as one
 * line of JSON. The first argument says what to allocate:
 *
 *	pages	alloc_pages() of the given order; zero= comp= add __GFP_ZERO and
 *		__GFP_COMP
 *	vmalloc	vzalloc() of bytes=
 *	kmalloc	kzalloc() of bytes=, larger than the slab caches serve
 *
 * A round allocates count= pieces and frees them; alloc_ns is the nanoseconds that
 * allocating took in each round. Options for all of them:
 *
 *	pair=1	free each piece before the next is allocated; alloc_ns is for both
 *	check=1	count pages that are not zero, between allocating and freeing
 *	dirty=1	overwrite everything before it is freed
 *	cold=1	take all page structures out of caches and TLB before allocating (x86-64)
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/gfp.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#define MAX_ROUNDS	100
#define MAX_COUNT	SZ_16M
#define MAX_BYTES	SZ_1G
#define PATTERN		0xa5
/* More entries than any TLB has */
#define TLB_ENTRIES	16384UL
/* Running out of memory is a result, not a reason to kill processes. */
#define GFP_BENCH	(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY)

enum op { OP_PAGES, OP_VMALLOC, OP_KMALLOC };

static const char * const op_names[] = {
	[OP_PAGES] = "pages",
	[OP_VMALLOC] = "vmalloc",
	[OP_KMALLOC] = "kmalloc",
};

struct request {
	enum op op;
	gfp_t gfp;
	unsigned int order, bytes, count, rounds;
	unsigned int zero, comp, pair, check, dirty, cold;
};

static const struct param {
	const char *name;
	size_t offset;
	unsigned int min, max, initial;
} params[] = {
#define PARAM(field, min, max, initial) \
	{ #field, offsetof(struct request, field), min, max, initial }
	PARAM(order, 0, MAX_PAGE_ORDER, 0),
	PARAM(bytes, 1, MAX_BYTES, PAGE_SIZE),
	PARAM(count, 1, MAX_COUNT, 1),
	PARAM(rounds, 1, MAX_ROUNDS, 1),
	PARAM(zero, 0, 1, 0),
	PARAM(comp, 0, 1, 0),
	PARAM(pair, 0, 1, 0),
	PARAM(check, 0, 1, 0),
	PARAM(dirty, 0, 1, 0),
	PARAM(cold, 0, IS_ENABLED(CONFIG_X86_64), 0),
};

static DEFINE_MUTEX(bench_mutex);

/* The last measurement, protected by bench_mutex; rounds is 0 if there is none. */
static struct {
	struct request request;
	unsigned int allocated;
	unsigned long nonzero;
	u64 alloc_ns[MAX_ROUNDS];
} last;

static unsigned int *field(struct request *request, const struct param *param)
{
	return (void *)request + param->offset;
}

/* Always inlined with a constant op: the timed loops call nothing but the allocator. */
static __always_inline void *allocate(enum op op, const struct request *request)
{
	switch (op) {
	case OP_PAGES:
		return alloc_pages(request->gfp, request->order);
	case OP_VMALLOC:
		return vzalloc(request->bytes);
	case OP_KMALLOC:
		return kzalloc(request->bytes, request->gfp);
	}
	return NULL;
}

static __always_inline void release(enum op op, const struct request *request, void *piece)
{
	switch (op) {
	case OP_PAGES:
		__free_pages(piece, request->order);
		break;
	case OP_VMALLOC:
		vfree(piece);
		break;
	case OP_KMALLOC:
		kfree(piece);
		break;
	}
}

static void look_and_scribble(const struct request *request, void *piece)
{
	void *memory = request->op == OP_PAGES ? page_address(piece) : piece;
	size_t done, size;

	for (done = 0; done < request->bytes; done += size) {
		size = min(request->bytes - done, PAGE_SIZE);
		if (request->check && memchr_inv(memory + done, 0, size))
			last.nonzero++;
		if (request->dirty)
			memset(memory + done, PATTERN, size);
	}
}

/*
 * How long a large allocation takes depends on which page structures are in the
 * caches and in the TLB, and that depends on what was done before: freeing,
 * zeroing, or nothing. So evict all of them, including those that the flushing
 * itself has looked up last.
 */
static void flush_page_structures(void)
{
#ifdef CONFIG_X86_64
	pg_data_t *node = NODE_DATA(first_online_node);
	unsigned long pfn = node->node_start_pfn;
	unsigned long end = pgdat_end_pfn(node);

	for (; pfn < end; pfn++)
		if (pfn_valid(pfn))
			asm volatile("clflush %0" : "+m" (*pfn_to_page(pfn)));

	for (pfn = end - min(TLB_ENTRIES, end - node->node_start_pfn); pfn < end; pfn++)
		if (pfn_valid(pfn))
			READ_ONCE(*(char *)page_address(pfn_to_page(pfn)));
	/* They are evicted before the clock is read. */
	mb();
#endif
}

static __always_inline void run_round(enum op op, const struct request *request, void **pieces,
				      unsigned int round)
{
	unsigned int i, allocated;
	u64 start;

	if (request->cold)
		flush_page_structures();

	start = ktime_get_ns();
	for (i = 0; i < request->count; i++) {
		pieces[i] = allocate(op, request);
		if (!pieces[i])
			break;
	}
	last.alloc_ns[round] = ktime_get_ns() - start;
	allocated = i;
	last.allocated = min(last.allocated, allocated);

	for (i = 0; i < allocated && (request->check || request->dirty); i++) {
		look_and_scribble(request, pieces[i]);
		cond_resched();
	}

	for (i = 0; i < allocated; i++)
		release(op, request, pieces[i]);
}

static __always_inline void run_pairs(enum op op, const struct request *request,
				      unsigned int round)
{
	unsigned int i;
	void *piece;
	u64 start;

	start = ktime_get_ns();
	for (i = 0; i < request->count; i++) {
		piece = allocate(op, request);
		if (!piece)
			break;
		release(op, request, piece);
	}
	last.alloc_ns[round] = ktime_get_ns() - start;
	last.allocated = min(last.allocated, i);
}

static __always_inline void run_op(enum op op, const struct request *request, void **pieces)
{
	unsigned int round;

	for (round = 0; round < request->rounds; round++) {
		if (request->pair)
			run_pairs(op, request, round);
		else
			run_round(op, request, pieces, round);
		cond_resched();
	}
}

static int run(struct request *request)
{
	void **pieces = NULL;

	request->gfp = GFP_BENCH;
	if (request->comp)
		request->gfp |= __GFP_COMP;
	if (request->zero)
		request->gfp |= __GFP_ZERO;
	if (request->op == OP_PAGES)
		request->bytes = PAGE_SIZE << request->order;

	if (!request->pair) {
		/* Zeroed, so that neither a page fault nor clearing happens later. */
		pieces = kvcalloc(request->count, sizeof(*pieces), GFP_KERNEL);
		if (!pieces)
			return -ENOMEM;
	}

	last.request = *request;
	last.allocated = request->count;
	last.nonzero = 0;
	switch (request->op) {
	case OP_PAGES:
		run_op(OP_PAGES, request, pieces);
		break;
	case OP_VMALLOC:
		run_op(OP_VMALLOC, request, pieces);
		break;
	case OP_KMALLOC:
		run_op(OP_KMALLOC, request, pieces);
		break;
	}

	kvfree(pieces);
	return 0;
}

/* Parse one name=value. */
static int parse_param(struct request *request, char *word)
{
	char *name = strsep(&word, "=");
	const struct param *param;
	unsigned int value;

	for (param = params; param < params + ARRAY_SIZE(params); param++) {
		if (strcmp(param->name, name))
			continue;
		if (!word || kstrtouint(word, 10, &value) ||
		    value < param->min || value > param->max) {
			pr_err("%s=%s: expected %u to %u\n", name, word ?: "", param->min,
			       param->max);
			return -EINVAL;
		}
		*field(request, param) = value;
		return 0;
	}

	pr_err("%s: expected order, bytes, count, rounds, zero, comp, pair, check, dirty or cold, each with =NUMBER\n",
	       name);
	return -EINVAL;
}

static int parse(struct request *request, char *line)
{
	const struct param *param;
	char *word;
	int op, ret;

	line = strim(line);
	word = strsep(&line, " ");
	op = match_string(op_names, ARRAY_SIZE(op_names), word);
	if (op < 0) {
		pr_err("'%s': expected pages, vmalloc or kmalloc\n", word);
		return -EINVAL;
	}

	request->op = op;
	for (param = params; param < params + ARRAY_SIZE(params); param++)
		*field(request, param) = param->initial;
	while ((word = strsep(&line, " "))) {
		ret = *word ? parse_param(request, word) : 0;
		if (ret)
			return ret;
	}
	/* vzalloc() and kzalloc() imply it. */
	if (op != OP_PAGES)
		request->zero = 1;

	if (op == OP_KMALLOC &&
	    (request->bytes <= KMALLOC_MAX_CACHE_SIZE || request->bytes > KMALLOC_MAX_SIZE)) {
		pr_err("kmalloc bytes=%u: expected %lu to %lu\n", request->bytes,
		       KMALLOC_MAX_CACHE_SIZE + 1, KMALLOC_MAX_SIZE);
		return -EINVAL;
	}
	if (request->pair && (request->check || request->dirty || request->cold)) {
		pr_err("pair=1: expected neither check=1 nor dirty=1 nor cold=1\n");
		return -EINVAL;
	}
	return 0;
}

static ssize_t run_write(struct file *file, const char __user *data, size_t size, loff_t *pos)
{
	struct request request = {};
	char *line;
	int ret;

	if (size > PAGE_SIZE) {
		pr_err("expected one line, got %zu bytes\n", size);
		return -EINVAL;
	}
	line = memdup_user_nul(data, size);
	if (IS_ERR(line))
		return PTR_ERR(line);

	ret = parse(&request, line);
	kfree(line);
	if (ret)
		return ret;

	scoped_guard(mutex, &bench_mutex)
		ret = run(&request);
	return ret ?: size;
}

static int run_show(struct seq_file *seq, void *unused)
{
	const struct param *param;
	unsigned int round;

	guard(mutex)(&bench_mutex);
	if (!last.request.rounds)
		return 0;

	seq_printf(seq, "{\"op\":\"%s\"", op_names[last.request.op]);
	for (param = params; param < params + ARRAY_SIZE(params); param++)
		seq_printf(seq, ",\"%s\":%u", param->name, *field(&last.request, param));
	seq_printf(seq, ",\"allocated\":%u,\"nonzero\":%lu,\"alloc_ns\":[", last.allocated,
		   last.nonzero);
	for (round = 0; round < last.request.rounds; round++)
		seq_printf(seq, "%s%llu", round ? "," : "", last.alloc_ns[round]);
	seq_puts(seq, "]}\n");
	return 0;
}

static int run_open(struct inode *inode, struct file *file)
{
	return single_open(file, run_show, NULL);
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = run_open,
	.read = seq_read,
	.write = run_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static struct dentry *directory;

static int __init bench_init(void)
{
	directory = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("run", 0600, directory, NULL, &run_fops);
	return PTR_ERR_OR_ZERO(directory);
}

static void __exit bench_exit(void)
{
	debugfs_remove(directory);
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Times allocations, to compare kernels");
MODULE_LICENSE("GPL");
