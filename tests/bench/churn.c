// SPDX-License-Identifier: GPL-2.0
/*
 * churn - allocate and free small pages of all kinds, and count trips to zone->lock
 *
 *	churn interleaved|bursts|processes|faults OPERATIONS THREADS MEBIBYTES SEED
 *
 * Threads share MEBIBYTES of memory, most of which is in use. With the same
 * arguments each thread does the same again:
 *
 *  interleaved  touch or free one page at random: anonymous, of a file in tmpfs,
 *               or a pipe with a page in it (slab, and pages the kernel fills)
 *  bursts       do the same to 8 MiB in a row
 *  processes    run this program, which touches half a MiB and ends
 *  faults       map 128 MiB, touch each page and unmap them, as page_fault1 of
 *               will-it-scale does
 *
 * Prints figures, as scripts/vmtest/results.py describes: seconds, and the pages
 * that moved between the per-CPU lists and the free lists, from the tracepoints
 * kmem:mm_page_alloc_zone_locked (refilled) and kmem:mm_page_pcpu_drain (drained).
 * Needs root, and tracefs at /sys/kernel/tracing.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <linux/types.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096UL
#define BURST		2048UL	/* pages */
#define PIPES		256UL	/* a thread */
#define CHILD_PAGES	128UL
#define FAULTS		32768UL	/* pages */
#define MAX_CPUS	64
#define TRACING		"/sys/kernel/tracing/events/kmem/"

struct thread;

struct load {
	const char *name;
	void (*run)(struct thread *thread, unsigned long operations);
};

/* What a thread has: pages that are present or not, and pipes */
struct thread {
	pthread_t pthread;
	const struct load *load;
	unsigned long operations;
	__u64 random;
	char *anon;
	unsigned long nr_anon;
	int file;
	unsigned long nr_file;
	bool *present;		/* of the file */
	bool *touched;		/* of the anonymous memory */
	int pipes[PIPES][2];	/* 0 if closed */
};

/* xorshift64* */
static unsigned long random_below(struct thread *thread, unsigned long limit)
{
	thread->random ^= thread->random >> 12;
	thread->random ^= thread->random << 25;
	thread->random ^= thread->random >> 27;
	return (thread->random * 2685821657736338717ULL >> 33) % limit;
}

/* Map anonymous memory, in pages of 4 KiB, none of which is present yet. */
static char *map(unsigned long nr_pages)
{
	char *pages = mmap(NULL, nr_pages * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (pages == MAP_FAILED || madvise(pages, nr_pages * PAGE, MADV_NOHUGEPAGE))
		err(2, "mmap");

	return pages;
}

static void toggle_anon(struct thread *thread, unsigned long index)
{
	char *page = thread->anon + index * PAGE;

	if (!thread->touched[index])
		*page = 1;
	else if (madvise(page, PAGE, MADV_DONTNEED))
		err(2, "MADV_DONTNEED");
	thread->touched[index] = !thread->touched[index];
}

static void toggle_file(struct thread *thread, unsigned long index)
{
	static const char data[PAGE] = "some";

	if (thread->present[index]) {
		if (fallocate(thread->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      index * PAGE, PAGE))
			err(2, "fallocate");
	} else if (pwrite(thread->file, data, PAGE, index * PAGE) != (ssize_t)PAGE) {
		err(2, "pwrite");
	}
	thread->present[index] = !thread->present[index];
}

static void toggle_pipe(struct thread *thread, unsigned long index)
{
	static const char data[PAGE] = "some";
	int *ends = thread->pipes[index];

	if (ends[0]) {
		close(ends[0]);
		close(ends[1]);
		ends[0] = 0;
	} else if (pipe(ends) || write(ends[1], data, PAGE) != (ssize_t)PAGE) {
		err(2, "pipe");
	}
}

static void interleaved(struct thread *thread, unsigned long operations)
{
	while (operations--) {
		switch (random_below(thread, 4)) {
		case 0:
			toggle_file(thread, random_below(thread, thread->nr_file));
			break;
		case 1:
			toggle_pipe(thread, random_below(thread, PIPES));
			break;
		default:
			toggle_anon(thread, random_below(thread, thread->nr_anon));
		}
	}
}

static void bursts(struct thread *thread, unsigned long operations)
{
	for (; operations >= BURST; operations -= BURST) {
		const bool file = !random_below(thread, 3);
		const unsigned long first = random_below(thread,
			(file ? thread->nr_file : thread->nr_anon) - BURST);

		for (unsigned long i = 0; i < BURST; i++) {
			if (file)
				toggle_file(thread, first + i);
			else
				toggle_anon(thread, first + i);
		}
	}
}

static void processes(struct thread *thread, unsigned long operations)
{
	static char *const argv[] = { "churn", "child", NULL };

	(void)thread;
	for (; operations >= CHILD_PAGES; operations -= CHILD_PAGES) {
		int status;
		pid_t pid;

		errno = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ);
		if (errno)
			err(2, "posix_spawn");
		if (waitpid(pid, &status, 0) != pid || status)
			errx(2, "a child ended with status %d", status);
	}
}

/* Map memory, touch each page of it, and unmap it. */
static void touch_new(unsigned long nr_pages)
{
	char *pages = map(nr_pages);

	for (unsigned long i = 0; i < nr_pages; i++)
		pages[i * PAGE] = 1;
	munmap(pages, nr_pages * PAGE);
}

static void faults(struct thread *thread, unsigned long operations)
{
	(void)thread;
	for (; operations >= FAULTS; operations -= FAULTS)
		touch_new(FAULTS);
}

static const struct load loads[] = {
	{ "interleaved", interleaved },
	{ "bursts", bursts },
	{ "processes", processes },
	{ "faults", faults },
};

static const struct load *find_load(const char *name)
{
	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++) {
		if (!strcmp(loads[i].name, name))
			return &loads[i];
	}
	errx(2, "unknown load: %s", name);
}

/* Get the memory of a thread: 5 of 7 anonymous, and two thirds of all present. */
static void prepare(struct thread *thread, unsigned long pages)
{
	thread->nr_anon = pages * 5 / 7;
	thread->nr_file = pages * 2 / 7;
	thread->touched = calloc(thread->nr_anon, 1);
	thread->present = calloc(thread->nr_file, 1);
	thread->anon = map(thread->nr_anon);
	thread->file = memfd_create("churn", 0);
	if (!thread->touched || !thread->present || thread->file < 0 ||
	    ftruncate(thread->file, thread->nr_file * PAGE))
		err(2, "no memory");

	for (unsigned long i = 0; i < thread->nr_anon; i++) {
		if (random_below(thread, 3))
			toggle_anon(thread, i);
	}
	for (unsigned long i = 0; i < thread->nr_file; i++) {
		if (random_below(thread, 3))
			toggle_file(thread, i);
	}
}

static void *run(void *argument)
{
	struct thread *thread = argument;

	thread->load->run(thread, thread->operations);
	return NULL;
}

/* Counters of a tracepoint, one for each CPU */
struct counter {
	int fds[MAX_CPUS];
	int nr;
};

static void open_counter(struct counter *counter, const char *event)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
	};
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), TRACING "%s/id", event);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%llu", &attr.config) != 1)
		err(2, "%s", path);
	fclose(file);

	counter->nr = sysconf(_SC_NPROCESSORS_ONLN);
	if (counter->nr > MAX_CPUS)
		errx(2, "more than %d CPUs", MAX_CPUS);
	for (int cpu = 0; cpu < counter->nr; cpu++) {
		counter->fds[cpu] = syscall(SYS_perf_event_open, &attr, -1, cpu, -1,
					    PERF_FLAG_FD_CLOEXEC);
		if (counter->fds[cpu] < 0)
			err(2, "perf_event_open %s", event);
	}
}

static unsigned long long sum(const struct counter *counter)
{
	unsigned long long value, sum = 0;

	for (int cpu = 0; cpu < counter->nr; cpu++) {
		if (read(counter->fds[cpu], &value, sizeof(value)) != sizeof(value))
			err(2, "reading a counter");
		sum += value;
	}

	return sum;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	const struct rlimit files = { 65536, 65536 };
	unsigned long long refilled, drained;
	struct counter refills, drains;
	const struct load *load;
	struct thread *threads;
	unsigned long nr, pages;
	double start;

	if (argc == 2 && !strcmp(argv[1], "child")) {
		touch_new(CHILD_PAGES);
		return 0;
	}
	if (argc != 6)
		errx(2, "usage: churn LOAD OPERATIONS THREADS MEBIBYTES SEED");

	load = find_load(argv[1]);
	nr = strtoul(argv[3], NULL, 10);
	pages = strtoul(argv[4], NULL, 10) * (1 << 20) / PAGE;
	threads = nr ? calloc(nr, sizeof(*threads)) : NULL;
	if (!threads || pages / nr < 8 * BURST)
		errx(2, "too many threads, or too little memory for each");
	if (setrlimit(RLIMIT_NOFILE, &files))
		err(2, "setrlimit");

	for (unsigned long i = 0; i < nr; i++) {
		threads[i].load = load;
		threads[i].operations = strtoul(argv[2], NULL, 10);
		threads[i].random = (strtoul(argv[5], NULL, 10) + 1) * 0x9e3779b97f4a7c15ULL + i;
		prepare(&threads[i], pages / nr);
	}

	open_counter(&refills, "mm_page_alloc_zone_locked");
	open_counter(&drains, "mm_page_pcpu_drain");
	refilled = sum(&refills);
	drained = sum(&drains);
	start = now();
	for (unsigned long i = 0; i < nr; i++) {
		errno = pthread_create(&threads[i].pthread, NULL, run, &threads[i]);
		if (errno)
			err(2, "pthread_create");
	}
	for (unsigned long i = 0; i < nr; i++)
		pthread_join(threads[i].pthread, NULL);

	printf("# seconds %.3f\n# refilled %llu\n# drained %llu\n", now() - start,
	       sum(&refills) - refilled, sum(&drains) - drained);

	return 0;
}
