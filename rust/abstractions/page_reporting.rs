// SPDX-License-Identifier: GPL-2.0

//! Free page reporting, for reporters that zero the blocks they are handed.
//!
//! The kernel's worker isolates free blocks from the page allocator, hands them in batches to the
//! only registered reporter of this kind, and puts them back.
//!
//! C header: [`include/linux/page_reporting.h`](srctree/include/linux/page_reporting.h)

use super::page::{
    FreeBlock,
    ZeroedBlock, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    container_of,
    error::{
        from_result,
        to_result, //
    },
    page::PAGE_SHIFT,
    prelude::*,
    types::Opaque, //
};

/// Operations of a reporter.
pub(crate) trait Operations: Send + Sync + 'static {
    /// Zeroes one block.
    ///
    /// Called by the kernel's worker, in a context where it may sleep. It must not allocate memory,
    /// because the worker holds back free memory. It must not wait for a task that might be
    /// dropping the [`Registration`], as dropping waits for this function.
    ///
    /// After [`EHWPOISON`] the worker removes the pages whose memory has failed from the allocator
    /// for good, and continues with another batch; the rest of this one is handed over again. Any
    /// other error ends the pass; the worker returns to the block at its next wake-up.
    fn zero<'a>(&self, block: FreeBlock<'a>) -> Result<ZeroedBlock<'a>>;
}

/// Which blocks the worker hands over, and when.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    /// Order of the smallest block, 0 to `MAX_PAGE_ORDER`.
    pub(crate) order: u32,
    /// Number of bytes freed since the last wake-up before the worker is woken again.
    pub(crate) batch_size: u32,
    /// Milliseconds from the wake-up to the pass, and between passes.
    pub(crate) delay_ms: u32,
    /// No more blocks are handed over while this many free pages are known to be zero.
    pub(crate) max_pages: usize,
}

/// The registration of a reporter, which ends when this is dropped.
///
/// # Invariants
///
/// - `dev` is registered by `page_reporting_register()` and only this unregisters it.
/// - `dev.report` is `Self::report`.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: Operations> {
    ops: T,
    // Last, so that `ops` is initialized when the worker, which registering starts, needs it.
    #[pin]
    dev: Opaque<bindings::page_reporting_dev_info>,
}

// SAFETY: A reporter may be unregistered by a task other than the one that registered it, and
// `T` is `Send`.
unsafe impl<T: Operations> Send for Registration<T> {}

// SAFETY: The C side serializes `page_reporting_update()`, the only call made through `&self`,
// and `T` is `Sync`.
unsafe impl<T: Operations> Sync for Registration<T> {}

impl<T: Operations> Registration<T> {
    /// Registers a reporter. From then on it is handed blocks.
    ///
    /// May sleep.
    ///
    /// # Errors
    ///
    /// - [`EBUSY`] if there is already a reporter that zeroes.
    /// - [`EINVAL`] if `options.order` is too large.
    /// - [`EOPNOTSUPP`] if something else in this kernel changes free pages.
    pub(crate) fn new(ops: T, options: Options) -> impl PinInit<Self, Error> {
        let mut dev: bindings::page_reporting_dev_info = pin_init::zeroed();
        dev.report = Some(Self::report);
        dev.order = options.order;
        dev.capacity = bindings::PAGE_REPORTING_CAPACITY;
        dev.flags = bindings::PAGE_REPORTING_OWN_PARAMS | bindings::PAGE_REPORTING_PREZERO;
        dev.batch_size = options.batch_size;
        dev.delay_ms = options.delay_ms;
        dev.max_pages = options.max_pages;

        try_pin_init!(Self {
            ops,
            dev <- Opaque::try_ffi_init(move |slot: *mut bindings::page_reporting_dev_info| {
                // SAFETY: `slot` is valid for writes.
                unsafe { slot.write(dev) };

                // SAFETY: `slot` has just been initialized and is pinned. If this succeeds, `Drop`
                // unregisters it before the memory is freed.
                // INVARIANT: If this returns `Ok(())`, `slot` is registered.
                to_result(unsafe { bindings::page_reporting_register(slot) })
            }),
        })
    }

    /// Changes the options at once: a pass with the new options is requested.
    ///
    /// May sleep.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if `options.order` is too large. The options stay as they were.
    pub(crate) fn update(&self, options: Options) -> Result {
        if options.order > bindings::MAX_PAGE_ORDER {
            return Err(EINVAL);
        }

        // SAFETY: By the type invariants, `dev` is registered, with its own parameters.
        unsafe {
            bindings::page_reporting_update(
                self.dev.get(),
                options.order,
                options.batch_size,
                options.delay_ms,
                options.max_pages,
            )
        };
        Ok(())
    }

    /// Hands a batch of free blocks to `T`.
    ///
    /// # Safety
    ///
    /// - `dev` must be the `dev` of a `Registration<T>`.
    /// - `sg` must be a scatterlist that ends after `nents` entries, at least one, each of which
    ///   describes a free block that stays isolated until this function returns.
    unsafe extern "C" fn report(
        dev: *mut bindings::page_reporting_dev_info,
        sg: *mut bindings::scatterlist,
        nents: c_uint,
    ) -> c_int {
        let dev = Opaque::cast_from(dev).cast_mut();
        // SAFETY: By the function's requirements `dev` is embedded in a `Self`.
        let this = unsafe { container_of!(dev, Self, dev) };
        // SAFETY: `ops` is initialized before `dev` is registered, and dropped after it has been
        // unregistered, which waits for this function to return. Meanwhile `Drop` has a
        // `&mut Self`, but does not use `ops`, and `Opaque` makes `Self` a type that may be
        // aliased.
        let ops = unsafe { &(*this).ops };
        // The lifetime is arbitrary: `T::zero` has to accept any, so it cannot keep a block.
        let mut batch = Batch {
            sg,
            left: nents,
            _isolated: PhantomData,
        };

        from_result(|| {
            batch.try_for_each(|block| ops.zero(block).map(|_zeroed| ()))?;
            Ok(0)
        })
    }
}

#[pinned_drop]
impl<T: Operations> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants, `dev` is registered. No callback uses it or `ops` after
        // this has returned.
        unsafe { bindings::page_reporting_unregister(self.dev.get()) };
    }
}

/// The blocks of one call of [`Registration::report`].
///
/// # Invariants
///
/// `sg` is a scatterlist that ends after `left` entries, each of which describes a free block that
/// is isolated for `'a` and is handed out once.
struct Batch<'a> {
    sg: *mut bindings::scatterlist,
    left: u32,
    _isolated: PhantomData<&'a mut bindings::scatterlist>,
}

impl<'a> Iterator for Batch<'a> {
    type Item = FreeBlock<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;

        // SAFETY: By the type invariants, there was an entry left.
        let (page, bytes, next) = unsafe {
            (
                bindings::sg_page(self.sg),
                (*self.sg).length,
                bindings::sg_next(self.sg),
            )
        };
        // INVARIANT: `next` is the rest of the list, which has one entry less.
        self.sg = next;

        // SAFETY: By the type invariants, the entry describes a free block of `bytes` bytes, which
        // is isolated for `'a` and is handed out only here. Therefore `page` is not null either.
        Some(unsafe { FreeBlock::from_raw(NonNull::new_unchecked(page), bytes >> PAGE_SHIFT) })
    }
}
