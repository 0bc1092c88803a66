/* SPDX-License-Identifier: GPL-2.0 */
/* The functions of kunit_helpers.c, which kunit_pages.rs declares for Rust. */
#ifndef _ZERO_PAGE_KUNIT_HELPERS_H
#define _ZERO_PAGE_KUNIT_HELPERS_H

#include <linux/types.h>

struct page;

struct page *zero_page_kunit_page(unsigned long pfn);
unsigned long zero_page_kunit_pfn(const struct page *page);
bool zero_page_kunit_is_buddy(const struct page *page);
bool zero_page_kunit_is_flagged(const struct page *page);
void zero_page_kunit_set_poisoned(struct page *page, bool poisoned);

#endif /* _ZERO_PAGE_KUNIT_HELPERS_H */
