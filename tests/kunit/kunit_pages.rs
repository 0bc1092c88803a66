// SPDX-License-Identifier: GPL-2.0

//! Real pages for the tests: allocated blocks, and the state of free ones.
//!
//! All `unsafe` code of the tests is in this file.

use core::ptr::NonNull;
use kernel::{
    bindings,
    page::PAGE_SIZE,
    prelude::*,
    types::NotThreadSafe, //
};

// From kunit_helpers.c
#[allow(
    improper_ctypes,
    reason = "depends on the configuration, as for all of the bindings"
)]
extern "C" {
    fn zero_page_kunit_page(pfn: c_ulong) -> *mut bindings::page;
    fn zero_page_kunit_pfn(page: *const bindings::page) -> c_ulong;
    fn zero_page_kunit_is_buddy(page: *const bindings::page) -> bool;
    fn zero_page_kunit_is_flagged(page: *const bindings::page) -> bool;
    fn zero_page_kunit_set_poisoned(page: *mut bindings::page, poisoned: bool);
}

/// Content of pages that are not zero.
const PATTERN: u8 = 0xa5;

/// Returns the number of pages of memory.
pub(crate) fn memory() -> usize {
    let mut info = bindings::sysinfo::default();
    // SAFETY: `info` is valid for writes.
    unsafe { bindings::si_meminfo(&mut info) };
    info.totalram
}

/// The content that an allocation asks for.
#[derive(Clone, Copy)]
pub(crate) enum Want {
    /// Pages with any content.
    Any,
    /// Pages that are zero (`__GFP_ZERO`).
    Zeros,
}

/// An allocated block of `2^order` pages, freed when dropped.
///
/// # Invariants
///
/// `page` points to the first page of a block of `2^order` pages, which this owns.
pub(crate) struct Block {
    page: NonNull<bindings::page>,
    order: u32,
}

impl Block {
    /// Allocates a block; [`ENOMEM`] if that would require reclaim.
    ///
    /// Allocates movable memory, which has the most free blocks of every order.
    pub(crate) fn new(order: u32, want: Want) -> Result<Self> {
        let zero = match want {
            Want::Any => 0,
            Want::Zeros => bindings::__GFP_ZERO,
        };
        let movable = 1 << bindings::___GFP_MOVABLE_BIT;
        let flags = bindings::GFP_NOWAIT | bindings::__GFP_NOWARN | movable | zero;

        // SAFETY: Just an FFI call; `order` may have any value.
        let page = unsafe { bindings::alloc_pages(flags, order) };

        // INVARIANT: Not null, so it is a block that we own.
        let page = NonNull::new(page).ok_or(ENOMEM)?;
        Ok(Self { page, order })
    }

    /// Returns where the block is.
    pub(crate) fn frames(&self) -> Frames {
        // SAFETY: By the type invariants `page` is a valid page.
        let first = unsafe { zero_page_kunit_pfn(self.page.as_ptr()) };

        // INVARIANT: These page frames are memory, as `page` has been allocated.
        Frames {
            first,
            order: self.order,
        }
    }

    /// Returns whether every byte of the block still has the value set by [`Block::fill`].
    pub(crate) fn is_filled(&self) -> bool {
        self.frames().pages().all(|page| has_only(page, PATTERN))
    }

    /// Makes every byte of the block non-zero.
    pub(crate) fn fill(&mut self) {
        for page in self.frames().pages() {
            // SAFETY: By the type invariants `page` belongs to us, and mapping it gives
            // `PAGE_SIZE` bytes. Mappings of a task are undone in reverse order.
            unsafe {
                let address = bindings::kmap_local_page(page);
                address.cast::<u8>().write_bytes(PATTERN, PAGE_SIZE);
                bindings::kunmap_local(address);
            }
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: By the type invariants we own the block, and it has this order.
        unsafe { bindings::__free_pages(self.page.as_ptr(), self.order) };
    }
}

/// The location of a block of `2^order` pages, regardless of who owns them at the moment.
///
/// # Invariants
///
/// The page frames from `first` to `first + 2^order - 1` are ordinary memory. The tests do not
/// remove any memory. The `struct page` of a block are contiguous with those of every block that it
/// may be part of.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Frames {
    first: c_ulong,
    order: u32,
}

impl Frames {
    /// Returns the number of pages.
    pub(crate) fn len(self) -> usize {
        1 << self.order
    }

    /// Returns the two halves of a block of at least two pages.
    pub(crate) fn halves(self) -> [Self; 2] {
        let order = self.order - 1;
        // INVARIANT: Both halves are within `self`.
        [self.first, self.first + (1 << order)].map(|first| Self { first, order })
    }

    /// Returns whether `other` is the block that the allocator would merge this one with.
    pub(crate) fn is_buddy_of(self, other: Self) -> bool {
        self.order == other.order && self.first ^ other.first == 1 << self.order
    }

    /// Returns whether `part` is within this.
    pub(crate) fn contains(self, part: Self) -> bool {
        part.order <= self.order && part.first >> self.order == self.first >> self.order
    }

    /// Returns whether the first page is the head of a free block of any order.
    ///
    /// False for blocks on a per-CPU list and for those the worker has isolated.
    pub(crate) fn is_head_of_free_block(self) -> bool {
        // SAFETY: By the type invariants `first` is memory, hence has a `struct page`. The test
        // is an atomic read.
        unsafe { zero_page_kunit_is_buddy(zero_page_kunit_page(self.first)) }
    }

    /// Returns how many of the pages, which are allocated, have a flag that only free pages have.
    pub(crate) fn flagged(self) -> usize {
        self.pages().filter(|&page| is_flagged(page)).count()
    }

    /// Returns how many of the pages, which are free, are marked as being zero.
    pub(crate) fn marked(self) -> usize {
        self.pages().filter(|&page| is_marked(page)).count()
    }

    /// If the block is isolated, pretends that the memory of a page has failed while the value that
    /// this returns exists.
    pub(crate) fn fail_while_isolated(self, index: usize) -> Option<FailedPage> {
        if self.is_head_of_free_block() {
            return None;
        }
        self.pages().nth(index).map(FailedPage::new)
    }

    /// Returns whether every byte of the pages is zero.
    pub(crate) fn is_zero(self) -> bool {
        self.pages().all(is_zero)
    }

    /// Returns the marked pages that are not zero, of which there must never be any.
    ///
    /// A page may be allocated and written to while it is being checked. Therefore a page counts
    /// only if it was marked before and after the check, twice.
    pub(crate) fn lies(self) -> usize {
        let lies =
            |&page: &*mut bindings::page| is_marked(page) && !is_zero(page) && is_marked(page);
        self.pages().filter(lies).filter(lies).count()
    }

    /// Returns the pages.
    fn pages(self) -> impl Iterator<Item = *mut bindings::page> {
        // SAFETY: By the type invariants these page frames are memory, hence have a `struct page`.
        (self.first..)
            .take(self.len())
            .map(|frame| unsafe { zero_page_kunit_page(frame) })
    }
}

/// A page with `PG_hwpoison`, which it loses when this is dropped.
pub(crate) struct FailedPage(*mut bindings::page);

impl FailedPage {
    /// Sets the flag of `page`, which must be one of [`Frames::pages`].
    fn new(page: *mut bindings::page) -> Self {
        // SAFETY: `page` is a valid `struct page`. The flag is set atomically, as for memory that
        // fails, which may happen to any page at any time.
        unsafe { zero_page_kunit_set_poisoned(page, true) };
        Self(page)
    }
}

impl Drop for FailedPage {
    fn drop(&mut self) {
        // SAFETY: As above; `new` has set it.
        unsafe { zero_page_kunit_set_poisoned(self.0, false) };
    }
}

/// Returns whether `page`, which must be one of [`Frames::pages`], is marked as being zero.
fn is_marked(page: *mut bindings::page) -> bool {
    // SAFETY: `page` is a valid `struct page`, and this only reads it and those before it.
    unsafe { bindings::prezero_page_is_zero(page) }
}

/// Returns whether `page`, which must be one of [`Frames::pages`], has a flag that only free pages
/// may have.
fn is_flagged(page: *mut bindings::page) -> bool {
    // SAFETY: `page` is a valid `struct page`. The tests are atomic reads.
    unsafe { zero_page_kunit_is_flagged(page) }
}

/// Returns whether every byte of `page`, which must be one of [`Frames::pages`], is zero.
fn is_zero(page: *mut bindings::page) -> bool {
    has_only(page, 0)
}

/// Returns whether every byte of `page`, which must be one of [`Frames::pages`], is `byte`.
fn has_only(page: *mut bindings::page, byte: u8) -> bool {
    let _reads_free_memory = KasanDisabled::new();

    // SAFETY: `page` is memory, so it can be mapped and read, by C code that tolerates concurrent
    // writes. Mappings of a task are undone in reverse order.
    unsafe {
        let address = bindings::kmap_local_page(page);
        let first_other = bindings::memchr_inv(address, byte.into(), PAGE_SIZE);
        bindings::kunmap_local(address);
        first_other.is_null()
    }
}

/// While this exists, KASAN does not report accesses by the current task.
struct KasanDisabled(NotThreadSafe);

impl KasanDisabled {
    fn new() -> Self {
        #[cfg(any(CONFIG_KASAN_GENERIC, CONFIG_KASAN_SW_TAGS))]
        // SAFETY: Counts in the current task.
        unsafe {
            bindings::kasan_disable_current()
        };
        Self(NotThreadSafe)
    }
}

impl Drop for KasanDisabled {
    fn drop(&mut self) {
        #[cfg(any(CONFIG_KASAN_GENERIC, CONFIG_KASAN_SW_TAGS))]
        // SAFETY: Counts in the current task, which is that of `new`, as this is not `Send`.
        unsafe {
            bindings::kasan_enable_current()
        };
    }
}
