// SPDX-License-Identifier: GPL-2.0
/*
 * fill - fault in anonymous or shared memory, time it, and check that it is zero
 *
 *	fill MEBIBYTES thp|4k|shmem|hugetlb [scribble]
 *
 * hugetlb uses the pages that are in the pool already, see /proc/sys/vm/nr_hugepages.
 *
 * Only the page faults are timed. Every byte is checked afterwards, as user
 * space sees it. With "scribble", all of it is overwritten before the program
 * ends, so that the next user of the memory can recognise what was left behind.
 *
 * Prints figures, as scripts/vmtest/results.py describes: seconds; nonzero, the
 * number of words that were not zero; huge_kib. Exit status: 0, 1 if there was a
 * byte other than zero, 2 if the memory could not be allocated.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define HUGE_PAGE_SIZE	(2UL << 20)
#define SCRIBBLE	0xa5

/* Kinds of memory to fill */
static const struct kind {
	const char *name;
	int flags;
	int advice;
} kinds[] = {
	{ "thp", MAP_PRIVATE, MADV_HUGEPAGE },
	{ "4k", MAP_PRIVATE, MADV_NOHUGEPAGE },
	{ "shmem", MAP_SHARED, MADV_NOHUGEPAGE },
	{ "hugetlb", MAP_PRIVATE | MAP_HUGETLB, MADV_NORMAL },
};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	}
	errx(2, "unknown kind of memory: %s", name);
}

/* Map memory aligned to huge pages, none of which is present yet. */
static void *map(size_t size, const struct kind *kind)
{
	uintptr_t addr;
	void *memory;

	memory = mmap(NULL, size + HUGE_PAGE_SIZE, PROT_READ | PROT_WRITE,
		      kind->flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		err(2, "mmap");

	addr = ((uintptr_t)memory + HUGE_PAGE_SIZE - 1) & ~(HUGE_PAGE_SIZE - 1);
	memory = (void *)addr;
	if (madvise(memory, size, kind->advice))
		err(2, "madvise");

	return memory;
}

static double populate(void *memory, size_t size)
{
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (madvise(memory, size, MADV_POPULATE_WRITE))
		err(2, "MADV_POPULATE_WRITE");
	clock_gettime(CLOCK_MONOTONIC, &end);

	return end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
}

/* Count the words that are not zero. */
static size_t count_nonzero(const unsigned long *memory, size_t size)
{
	size_t nonzero = 0;

	for (size_t i = 0; i < size / sizeof(*memory); i++)
		nonzero += memory[i] != 0;

	return nonzero;
}

/* How much of this process is mapped with huge pages? */
static long huge_kib(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	long kib, sum = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "AnonHugePages: %ld kB", &kib) == 1 ||
		    sscanf(line, "Private_Hugetlb: %ld kB", &kib) == 1)
			sum += kib;
	}
	if (file)
		fclose(file);

	return sum;
}

int main(int argc, char **argv)
{
	const struct kind *kind;
	size_t size, nonzero;
	double seconds;
	void *memory;

	if (argc < 3 || argc > 4 || (argc == 4 && strcmp(argv[3], "scribble")))
		errx(2, "usage: fill MEBIBYTES thp|4k|shmem|hugetlb [scribble]");

	size = strtoul(argv[1], NULL, 10) << 20;
	kind = find_kind(argv[2]);
	memory = map(size, kind);
	seconds = populate(memory, size);
	nonzero = count_nonzero(memory, size);
	printf("# seconds %.6f\n# nonzero %zu\n# huge_kib %ld\n", seconds,
	       nonzero, huge_kib());

	if (argc == 4)
		memset(memory, SCRIBBLE, size);

	return nonzero ? 1 : 0;
}
