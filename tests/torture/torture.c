// SPDX-License-Identifier: GPL-2.0
/*
 * torture - allocate memory, check that it is zero, fill it, free it, in every way
 *
 *	torture SEED SECONDS WORKERS MEBIBYTES [CGROUP]
 *
 * Each worker is a process that repeatedly allocates memory of some kind, checks
 * every byte, fills all of it with a pattern, does something to it (reclaim,
 * migration, fork, ...), checks the pattern, and frees the memory in some way. With
 * the same seed each worker does the same again; all of them together use about
 * MEBIBYTES. In CGROUP, whose memory.max must be less than 64 MiB, processes run out
 * of memory and are killed.
 *
 * Prints how often each thing was done, as figures that scripts/vmtest/results.py
 * describes, and errors as soon as they are found. Exit status: 0, 1 if something
 * was wrong, 2 if it could not be checked.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#define MPOL_MF_MOVE		2

#define PAGE			4096UL
#define HUGE			(2UL << 20)
#define OOM_BYTES		(128UL << 20)
#define WORKERS_MAX		64
#define THREADS			3

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof(*(array)))

/* Work done by the workers, in memory they share with their parent */
struct tally {
	__u64 rounds;
	__u64 pages_checked;
	__u64 refused;
	__u64 kinds[16];
	__u64 changes[16];
	__u64 frees[16];
};

static struct tally *tally;
static const char *cgroup;
static __u64 random_state;
static __u64 seed;
static unsigned int worker;
static size_t region_max;
static unsigned int nr_nodes;

/* splitmix64: https://prng.di.unimi.it/splitmix64.c has the constants. */
static __u64 mix(__u64 x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static __u64 next_random(void)
{
	return random_state = mix(random_state);
}

static size_t below(size_t limit)
{
	return next_random() % limit;
}

/* Memory that a worker has allocated */
struct region {
	unsigned char *addr;
	size_t size;
	/* Of shared memory, -1 otherwise */
	int fd;
	__u64 pattern;
	const char *kind;
	const char *change;
	bool hugetlb;
};

static _Noreturn void found(const char *format, ...)
{
	va_list args;

	printf("# seed %llu worker %u round %llu: ", seed,
	       worker, tally[worker].rounds);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

static void check_zero(const struct region *region)
{
	const __u64 *words = (const __u64 *)region->addr;

	for (size_t i = 0; i < region->size / sizeof(*words); i++) {
		if (words[i])
			found("new %s memory of %zu KiB is not zero: %#llx at offset %#zx",
			      region->kind, region->size >> 10, words[i],
			      i * sizeof(*words));
	}
	tally[worker].pages_checked += region->size / PAGE;
}

static __u64 pattern_word(__u64 pattern, size_t index)
{
	return mix(pattern + index) | 1;
}

static void fill(struct region *region)
{
	__u64 *words = (__u64 *)region->addr;

	region->pattern = next_random();
	for (size_t i = 0; i < region->size / sizeof(*words); i++)
		words[i] = pattern_word(region->pattern, i);
}

static void check_pattern(const struct region *region)
{
	const __u64 *words = (const __u64 *)region->addr;

	for (size_t i = 0; i < region->size / sizeof(*words); i++) {
		if (words[i] != pattern_word(region->pattern, i))
			found("%s memory of %zu KiB is lost after %s: %#llx at offset %#zx",
			      region->kind, region->size >> 10, region->change,
			      words[i], i * sizeof(*words));
	}
}

/* Ways to allocate memory: each fails if there is none. */

static bool map(struct region *region, int flags, int fd)
{
	void *addr = mmap(NULL, region->size, PROT_READ | PROT_WRITE, flags, fd, 0);

	region->addr = addr;
	region->fd = fd;
	return addr != MAP_FAILED;
}

static bool take_small(struct region *region)
{
	if (!map(region, MAP_PRIVATE | MAP_ANONYMOUS, -1))
		return false;
	madvise(region->addr, region->size, MADV_NOHUGEPAGE);
	return true;
}

/* Huge pages of all sizes that are enabled */
static bool take_huge(struct region *region)
{
	if (!map(region, MAP_PRIVATE | MAP_ANONYMOUS, -1))
		return false;
	madvise(region->addr, region->size, MADV_HUGEPAGE);
	return true;
}

static bool take_shared(struct region *region)
{
	int fd = memfd_create("torture", 0);

	if (fd < 0 || ftruncate(fd, region->size) || !map(region, MAP_SHARED, fd)) {
		close(fd);
		return false;
	}
	return true;
}

static bool take_shared_huge(struct region *region)
{
	if (!take_shared(region))
		return false;
	madvise(region->addr, region->size, MADV_HUGEPAGE);
	return true;
}

/* A private mapping of a file that is a single hole */
static bool take_private_file(struct region *region)
{
	int fd = memfd_create("torture", 0);
	bool done = fd >= 0 && !ftruncate(fd, region->size) && map(region, MAP_PRIVATE, fd);

	close(fd);
	region->fd = -1;
	return done;
}

static bool take_hugetlb(struct region *region)
{
	region->size = (region->size + HUGE - 1) & ~(HUGE - 1);
	region->hugetlb = true;
	/* Reserves what it maps, or fails. */
	return map(region, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
}

static bool take_brk(struct region *region)
{
	void *addr = sbrk(0);

	region->fd = -1;
	if ((uintptr_t)addr % PAGE &&
	    sbrk(PAGE - (uintptr_t)addr % PAGE) == (void *)-1)
		return false;
	addr = sbrk(region->size);
	region->addr = addr;
	return addr != (void *)-1;
}

static const struct kind {
	const char *name;
	bool (*take)(struct region *region);
} kinds[] = {
	{ "4k", take_small },
	{ "huge", take_huge },
	{ "shared", take_shared },
	{ "shared_huge", take_shared_huge },
	{ "private_file", take_private_file },
	{ "hugetlb", take_hugetlb },
	{ "brk", take_brk },
};

/* Write the value that is already there. */
static void touch(unsigned char *byte)
{
	__atomic_store_n(byte, 0, __ATOMIC_RELAXED);
}

/* Threads of this process that do something to a region at the same time */
struct race {
	const struct region *region;
	void (*run)(const struct region *region, unsigned int thread, __u64 random);
	__u64 random;
};

struct racer {
	const struct race *race;
	unsigned int thread;
};

static void *run_racer(void *argument)
{
	const struct racer *racer = argument;
	const struct race *race = racer->race;

	race->run(race->region, racer->thread, mix(race->random + racer->thread));
	return NULL;
}

/* Runs `run` in THREADS threads, each with its number and a random number of its own. */
static void race(const struct region *region,
		 void (*run)(const struct region *region, unsigned int thread, __u64 random))
{
	const struct race race = { region, run, next_random() };
	struct racer racers[THREADS];
	pthread_t threads[THREADS];
	unsigned int started;

	for (started = 0; started < THREADS; started++) {
		racers[started] = (struct racer){ &race, started };
		/* Memory may be short. */
		if (pthread_create(&threads[started], NULL, run_racer, &racers[started]))
			break;
	}
	while (started)
		pthread_join(threads[--started], NULL);
}

/* One thread faults in memory that another one faults, frees, provides or pages out. */
static void populate_racing(const struct region *region, unsigned int thread, __u64 random)
{
	const size_t step = region->hugetlb ? HUGE : PAGE, nr = region->size / step;

	for (size_t i = 0; i < nr; i++) {
		const size_t offset = (random = mix(random)) % nr * step;
		unsigned char *addr = region->addr + offset;

		if (thread < THREADS - 1)
			touch(region->addr + (thread ? nr - 1 - i : i) * step);
		/* If hugetlb memory were freed, another process could take the last of it. */
		else if (region->hugetlb)
			touch(addr);
		else if (random >> 62 == 0)
			madvise(addr, step, MADV_PAGEOUT);
		else if (region->fd < 0)
			madvise(addr, step, MADV_DONTNEED);
		else if (random >> 62 == 1)
			fallocate(region->fd, 0, offset, step);
		else
			fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  offset, step);
	}
}

/* Populates the memory, in one way or another, and leaves it zero. */
static void populate(struct region *region)
{
	switch (below(5)) {
	case 0:
		madvise(region->addr, region->size, MADV_POPULATE_WRITE);
		break;
	case 1:
		madvise(region->addr, region->size, MADV_POPULATE_READ);
		break;
	case 2:
		for (size_t i = 0; i < region->size; i += PAGE)
			touch(region->addr + i + below(PAGE));
		break;
	case 3:
		/* Backwards, which neither readahead nor huge pages expect */
		for (size_t i = region->size; i; i -= PAGE)
			touch(region->addr + i - PAGE);
		break;
	case 4:
		race(region, populate_racing);
		break;
	}
}

/* Operations on memory in use, which must not change its content */

static void change_nothing(struct region *region)
{
	(void)region;
}

static void change_page_out(struct region *region)
{
	madvise(region->addr, region->size, MADV_PAGEOUT);
}

static void change_merge(struct region *region)
{
	madvise(region->addr, region->size, MADV_MERGEABLE);
}

static void change_collapse(struct region *region)
{
	madvise(region->addr, region->size, MADV_COLLAPSE);
}

/* Splits huge pages: every other page is mapped in a different way. */
static void change_split(struct region *region)
{
	if (region->hugetlb)
		return;
	for (size_t i = 0; i + PAGE <= region->size && i < 64 * PAGE; i += 2 * PAGE)
		mprotect(region->addr + i, PAGE, PROT_READ);
	/* Cannot fail, as it merges many mappings into one. */
	if (mprotect(region->addr, region->size, PROT_READ | PROT_WRITE))
		err(2, "mprotect");
}

/* Moves pages to some node. */
static void change_migrate(struct region *region)
{
	void *pages[64];
	int nodes[64], status[64];
	size_t count = region->size / PAGE;

	if (count > 64)
		count = 64;
	for (size_t i = 0; i < count; i++) {
		pages[i] = region->addr + below(region->size / PAGE) * PAGE;
		nodes[i] = below(nr_nodes);
	}
	syscall(SYS_move_pages, 0, count, pages, nodes, status, MPOL_MF_MOVE);
}

/* One thread pages out, collapses or migrates what others read. */
static void use_racing(const struct region *region, unsigned int thread, __u64 random)
{
	struct region part = *region;

	if (thread < THREADS - 1) {
		check_pattern(region);
		return;
	}
	for (unsigned int i = 0; i < 8; i++) {
		random = mix(random);
		part.addr = region->addr + random % (region->size / PAGE) * PAGE;
		part.size = region->addr + region->size - part.addr;
		if (random >> 62 == 0)
			madvise(part.addr, part.size, MADV_COLLAPSE);
		else
			madvise(part.addr, part.size, MADV_PAGEOUT);
	}
}

static void change_racing(struct region *region)
{
	race(region, use_racing);
}

/* A child shares the memory and writes to part of it, and sees what it wrote. */
static void change_fork(struct region *region)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return;
	if (!pid) {
		check_pattern(region);
		if (region->fd < 0)
			fill(region);
		check_pattern(region);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status))
		_exit(1);
}

/* Moves page tables. */
static void change_remap(struct region *region)
{
	void *addr;

	if (region->hugetlb || !strcmp(region->kind, "brk"))
		return;
	addr = mmap(NULL, region->size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (addr == MAP_FAILED)
		return;
	addr = mremap(region->addr, region->size, region->size,
		      MREMAP_MAYMOVE | MREMAP_FIXED, addr);
	if (addr != MAP_FAILED)
		region->addr = addr;
}

static const struct change {
	const char *name;
	void (*change)(struct region *region);
} changes[] = {
	{ "nothing", change_nothing },
	{ "page_out", change_page_out },
	{ "merge", change_merge },
	{ "collapse", change_collapse },
	{ "split", change_split },
	{ "migrate", change_migrate },
	{ "fork", change_fork },
	{ "remap", change_remap },
	{ "racing", change_racing },
};

/* Ways to free memory */

static void unmap(struct region *region)
{
	if (!strcmp(region->kind, "brk"))
		sbrk(-(intptr_t)region->size);
	else
		munmap(region->addr, region->size);
	if (region->fd >= 0)
		close(region->fd);
}

/* Single pages here and there before the rest, which leaves holes */
static void free_in_holes(struct region *region)
{
	size_t step = region->hugetlb ? HUGE : PAGE;

	for (size_t i = 0; i < region->size; i += step) {
		if (below(2))
			madvise(region->addr + i, step, MADV_DONTNEED);
	}
	unmap(region);
}

/* Lazily freed under pressure. What remains is unchanged, the rest is zero. */
static void free_lazily(struct region *region)
{
	const __u64 *words = (const __u64 *)region->addr;

	if (region->fd < 0 && !madvise(region->addr, region->size, MADV_FREE)) {
		madvise(region->addr, region->size, MADV_PAGEOUT);
		for (size_t i = 0; i < region->size / sizeof(*words); i++) {
			if (words[i] && words[i] != pattern_word(region->pattern, i))
				found("lazily freed %s memory is %#llx at offset %#zx",
				      region->kind, words[i], i * sizeof(*words));
		}
	}
	unmap(region);
}

/* Memory that was freed and is allocated again at the same address is zero. */
static void free_and_take_again(struct region *region)
{
	/* There may be none left, which ends in SIGBUS. */
	if (region->hugetlb) {
		unmap(region);
		return;
	}

	if (region->fd >= 0) {
		if (fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			      region->size))
			err(2, "fallocate");
	} else if (madvise(region->addr, region->size, MADV_DONTNEED)) {
		err(2, "MADV_DONTNEED");
	}
	populate(region);
	check_zero(region);
	unmap(region);
}

/* Memory beyond the end of a file is zero if the file grows again. */
static void free_by_truncating(struct region *region)
{
	const size_t end = below(region->size);

	if (region->fd >= 0) {
		if (ftruncate(region->fd, end) || ftruncate(region->fd, region->size))
			err(2, "ftruncate");
		for (size_t i = end; i < region->size; i++) {
			if (region->addr[i])
				found("%s memory of %zu KiB, cut at %zu, is %#x at offset %zu",
				      region->kind, region->size >> 10, end,
				      region->addr[i], i);
		}
		if (ftruncate(region->fd, 0))
			err(2, "ftruncate");
	}
	unmap(region);
}

/* A child inherits all and exits after us; its part is freed then. */
static void free_by_exit(struct region *region)
{
	pid_t pid = fork();

	if (!pid) {
		fill(region);
		if (below(2))
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	unmap(region);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* A child uses more memory than is allowed, fills it with a pattern, and is killed. */
static void free_by_oom(struct region *region)
{
	char path[256];
	pid_t pid;
	int fd;

	unmap(region);
	if (!cgroup || below(8))
		return;
	pid = fork();
	if (!pid) {
		struct region much = { .size = OOM_BYTES, .kind = "oom" };

		snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
		fd = open(path, O_WRONLY);
		if (fd < 0 || write(fd, "0", 1) != 1 || !take_huge(&much))
			_exit(0);
		fill(&much);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static const struct way {
	const char *name;
	void (*free)(struct region *region);
} ways[] = {
	{ "unmap", unmap },
	{ "holes", free_in_holes },
	{ "lazily", free_lazily },
	{ "again", free_and_take_again },
	{ "truncate", free_by_truncating },
	{ "exit", free_by_exit },
	{ "oom", free_by_oom },
};

/* From a page to the maximum: small sizes are as frequent as large ones */
static size_t random_size(void)
{
	size_t limit = PAGE << below(__builtin_ctzl(HUGE * 8 / PAGE) + 1);

	if (limit > region_max)
		limit = region_max;
	return (below(limit / PAGE) + 1) * PAGE;
}

static void one_round(void)
{
	const size_t kind = below(ARRAY_SIZE(kinds)), change = below(ARRAY_SIZE(changes));
	const size_t way = below(ARRAY_SIZE(ways));
	struct region region = {
		.size = random_size(),
		.kind = kinds[kind].name,
		.change = changes[change].name,
	};

	if (!kinds[kind].take(&region)) {
		tally[worker].refused++;
		return;
	}
	populate(&region);
	check_zero(&region);
	fill(&region);
	changes[change].change(&region);
	check_pattern(&region);
	ways[way].free(&region);

	tally[worker].kinds[kind]++;
	tally[worker].changes[change]++;
	tally[worker].frees[way]++;
}

static void work(time_t end)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	/* The OOM killer should kill a worker rather than its parent. */
	if (fd >= 0 && write(fd, "500", 3) != 3)
		warn("oom_score_adj");
	close(fd);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	random_state = mix(seed + worker * 0x10001 + (tally[worker].rounds << 32));
	while (time(NULL) < end) {
		tally[worker].rounds++;
		one_round();
	}
	_exit(0);
}

static pid_t start_worker(unsigned int number, time_t end)
{
	pid_t pid = fork();

	if (pid < 0)
		err(2, "fork");
	if (!pid) {
		worker = number;
		work(end);
	}
	return pid;
}

static void report_signal(unsigned int number, int signal)
{
	printf("# seed %llu worker %u round %llu: signal %d\n",
	       seed, number, tally[number].rounds, signal);
}

/* Supervises the workers; those that ran out of memory and were killed are restarted. */
static int supervise(unsigned int count, time_t end)
{
	pid_t pids[WORKERS_MAX];
	unsigned int running = count, killed = 0;
	int result = 0, status;
	bool wanting;

	for (unsigned int i = 0; i < count; i++)
		pids[i] = start_worker(i, end);

	while (running) {
		pid_t pid = wait(&status);

		for (unsigned int i = 0; i < count; i++) {
			if (pids[i] != pid)
				continue;
			pids[i] = 0;
			running--;
			wanting = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
			if (wanting && !result) {
				killed++;
				pids[i] = start_worker(i, end);
				running++;
			} else if (!wanting && status) {
				if (WIFSIGNALED(status))
					report_signal(i, WTERMSIG(status));
				if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
					result = result ? result : 2;
				else
					result = 1;
			}
		}
	}
	printf("# killed %u\n", killed);

	return result;
}

/* Print how often each of a list of things was done, all workers together. */
static void print_sum(const char *what, const char *name, size_t offset,
		      unsigned int count)
{
	__u64 sum = 0;

	for (unsigned int i = 0; i < count; i++)
		sum += *(const __u64 *)((const char *)(tally + i) + offset);
	printf("# %s.%s %llu\n", what, name, sum);
}

static void print_tally(unsigned int count)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		print_sum("kinds", kinds[i].name, offsetof(struct tally, kinds[i]), count);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		print_sum("changes", changes[i].name, offsetof(struct tally, changes[i]), count);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		print_sum("frees", ways[i].name, offsetof(struct tally, frees[i]), count);
}

int main(int argc, char **argv)
{
	struct tally sum = { 0 };
	unsigned int count;
	time_t end;
	int result;

	if (argc != 5 && argc != 6)
		errx(2, "usage: torture SEED SECONDS WORKERS MEBIBYTES [CGROUP]");
	seed = strtoull(argv[1], NULL, 10);
	end = time(NULL) + strtol(argv[2], NULL, 10);
	count = strtoul(argv[3], NULL, 10);
	if (!count || count > WORKERS_MAX)
		errx(2, "1 to %d workers", WORKERS_MAX);
	/* A region and its like, in a child or moved, at a time */
	region_max = (strtoul(argv[4], NULL, 10) << 20) / count / 2 & ~(PAGE - 1);
	if (region_max < HUGE)
		errx(2, "at least %lu MiB", count * HUGE * 2 >> 20);
	cgroup = argc == 6 ? argv[5] : NULL;
	nr_nodes = access("/sys/devices/system/node/node1", F_OK) ? 1 : 2;

	tally = mmap(NULL, sizeof(*tally) * WORKERS_MAX, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED)
		err(2, "mmap");
	setvbuf(stdout, NULL, _IOLBF, 0);

	result = supervise(count, end);

	for (unsigned int i = 0; i < count; i++) {
		sum.rounds += tally[i].rounds;
		sum.pages_checked += tally[i].pages_checked;
		sum.refused += tally[i].refused;
	}
	print_tally(count);
	printf("# rounds %llu\n# refused %llu\n# pages_checked %llu\n",
	       sum.rounds, sum.refused, sum.pages_checked);

	return result;
}
