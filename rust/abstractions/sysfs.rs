// SPDX-License-Identifier: GPL-2.0

//! Directories in sysfs with readable and writable files.
//!
//! C headers: [`include/linux/kobject.h`](srctree/include/linux/kobject.h),
//! [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h)

use core::{
    ptr::{
        null,
        NonNull, //
    },
    slice, //
};
use kernel::{
    bindings,
    container_of,
    error::{
        from_result,
        to_result, //
    },
    page::PAGE_SIZE,
    prelude::*,
    str::{
        BStr,
        Formatter, //
    },
    sync::LockClassKey,
    types::Opaque, //
};

/// A file of `Self`, identified by `A`: what it shows and accepts.
///
/// `show` and `store` may sleep, and may run concurrently.
pub(crate) trait Attribute<A>: Send + Sync + 'static {
    /// Name of the file.
    const NAME: &'static CStr;

    /// Writes the content of the file to `out`, at most a page.
    fn show(&self, out: &mut Formatter<'_>) -> Result;

    /// Handles a write to the file; an error is returned to the writer.
    fn store(&self, input: &BStr) -> Result;
}

/// A file of a `T`, to be put into a [`Directory`]. Only root may write it, all users may read it.
///
/// # Invariants
///
/// Once the file is in sysfs, `data` points to a `T` that is valid until the file is removed.
pub(crate) struct File<T> {
    attr: bindings::kobj_attribute,
    data: *const T,
}

impl<T> File<T> {
    /// Creates the file of `T` that `A` identifies.
    ///
    /// An attribute that is not static data needs a lockdep key. Each file has its own `key`, or
    /// lockdep takes the locks behind two files for one.
    #[cfg_attr(not(CONFIG_DEBUG_LOCK_ALLOC), expect(unused_variables))]
    pub(crate) fn new<A>(key: Pin<&'static LockClassKey>) -> Self
    where
        T: Attribute<A>,
    {
        let mut attr: bindings::kobj_attribute = pin_init::zeroed();

        attr.attr.name = T::NAME.as_char_ptr();
        attr.attr.mode = 0o644;
        #[cfg(CONFIG_DEBUG_LOCK_ALLOC)]
        {
            attr.attr.key = key.as_ptr();
        }
        // The C types are unions of a const and a mutable variant, or structs of both with CFI.
        // This uses the same variant in both cases.
        attr.__bindgen_anon_1.show = Some(Self::show::<A>);
        attr.__bindgen_anon_2.store = Some(Self::store::<A>);

        Self { attr, data: null() }
    }

    /// Returns the data behind a file.
    ///
    /// # Safety
    ///
    /// `attr` must be the `attr` of a `File<T>` that is in sysfs and is not removed for `'a`.
    unsafe fn data<'a>(attr: *mut bindings::kobj_attribute) -> &'a T {
        // SAFETY: By the function's requirements, `attr` is embedded in a `Self`.
        let this = unsafe { container_of!(attr, Self, attr) };
        // SAFETY: By the type invariants, `data` is valid as long as the file is in sysfs.
        unsafe { &*(*this).data }
    }

    /// # Safety
    ///
    /// `attr` must be the `attr` of a `File<T>` that is in sysfs and is not removed before this
    /// function returns. `buf` must be valid for writing [`PAGE_SIZE`] bytes.
    unsafe extern "C" fn show<A>(
        _kobj: *mut bindings::kobject,
        attr: *mut bindings::kobj_attribute,
        buf: *mut c_char,
    ) -> isize
    where
        T: Attribute<A>,
    {
        // SAFETY: By the function's requirements.
        let data = unsafe { Self::data(attr) };
        // SAFETY: By the function's requirements; sysfs has zeroed the buffer.
        let buf = unsafe { slice::from_raw_parts_mut(buf, PAGE_SIZE) };
        let mut out = Formatter::new(buf);

        from_result(|| {
            data.show(&mut out)?;
            Ok(out.bytes_written() as isize)
        })
    }

    /// # Safety
    ///
    /// `attr` must be the `attr` of a `File<T>` that is in sysfs and is not removed before this
    /// function returns. `buf` must be valid for reading `count` bytes.
    unsafe extern "C" fn store<A>(
        _kobj: *mut bindings::kobject,
        attr: *mut bindings::kobj_attribute,
        buf: *const c_char,
        count: usize,
    ) -> isize
    where
        T: Attribute<A>,
    {
        // SAFETY: By the function's requirements.
        let data = unsafe { Self::data(attr) };
        // SAFETY: By the function's requirements.
        let input = unsafe { slice::from_raw_parts(buf, count) };

        from_result(|| {
            data.store(BStr::from_bytes(input))?;
            Ok(count as isize)
        })
    }
}

/// A directory of `N` files of a `T`, which it owns.
#[pin_data]
pub(crate) struct Directory<T: Send + Sync + 'static, const N: usize> {
    // Fields are dropped in this order: first the files are removed from sysfs, which waits for
    // their readers and writers, and then the data that they use.
    _kobject: Kobject,
    #[pin]
    files: Opaque<[File<T>; N]>,
    #[pin]
    data: T,
}

// SAFETY: `T` is `Send`, and any task may remove a file from sysfs.
unsafe impl<T: Send + Sync, const N: usize> Send for Directory<T, N> {}

// SAFETY: No method takes `&self`. The files use only `data`, and `T` is `Sync`.
unsafe impl<T: Send + Sync, const N: usize> Sync for Directory<T, N> {}

impl<T: Send + Sync, const N: usize> Directory<T, N> {
    /// Creates the directory `/sys/kernel/mm/<name>`, after `data` has been initialized.
    ///
    /// May sleep. Returns the errors of `data` and those of sysfs.
    pub(crate) fn in_mm(
        name: &'static CStr,
        files: [File<T>; N],
        data: impl PinInit<T, Error>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            data <- data,
            files: Opaque::new(files),
            // SAFETY: `data` and `files` have just been initialized, and are pinned. Whenever they
            // are dropped, now or later, `_kobject` is dropped before them.
            _kobject: unsafe { Self::publish(this, name) }?,
        })
    }

    /// Makes the directory and its files visible.
    ///
    /// # Safety
    ///
    /// `this` must be valid and pinned, with `data` and `files` initialized, and they must outlive
    /// the returned [`Kobject`].
    unsafe fn publish(this: NonNull<Self>, name: &'static CStr) -> Result<Kobject> {
        let this = this.as_ptr();
        let kobject = Kobject::in_mm(name)?;

        // SAFETY: By the function's requirements, `data` and `files` are initialized.
        let (data, files) = unsafe { (&raw const (*this).data, (*this).files.get()) };
        for file in 0..N {
            // SAFETY: `file` is an index into the array, which no one else uses yet.
            // INVARIANT: By the function's requirements, `data` outlives `kobject`, and therefore
            // the file.
            let attr = unsafe {
                let file = files.cast::<File<T>>().add(file);
                (*file).data = data;
                &raw const (*file).attr.attr
            };
            // SAFETY: `kobject` is in sysfs, and `attr` outlives it.
            to_result(unsafe { bindings::sysfs_create_file_ns(kobject.0.as_ptr(), attr, null()) })?;
        }
        Ok(kobject)
    }
}

/// A kobject in sysfs, which is removed with all of its files when this is dropped.
///
/// # Invariants
///
/// The kobject has been added, and this owns a reference to it.
struct Kobject(NonNull<bindings::kobject>);

impl Kobject {
    /// Adds a kobject named `name` in `/sys/kernel/mm`.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`] whatever the reason, as the C side tells it to the log only. A kobject with a
    /// type of our own would tell, but that may be released after the module was removed.
    fn in_mm(name: &'static CStr) -> Result<Self> {
        // SAFETY: `name` is null-terminated. `mm_kobj` is set while the kernel boots, before any
        // module is loaded, and never changes again.
        let kobject =
            unsafe { bindings::kobject_create_and_add(name.as_char_ptr(), bindings::mm_kobj) };

        // INVARIANT: The function adds the kobject and returns the first reference, or null.
        NonNull::new(kobject).map(Self).ok_or(ENOMEM)
    }
}

impl Drop for Kobject {
    fn drop(&mut self) {
        // SAFETY: By the type invariants. There may be other references, so dropping ours does not
        // ensure that the files are gone when this returns; `kobject_del()` does.
        unsafe {
            bindings::kobject_del(self.0.as_ptr());
            bindings::kobject_put(self.0.as_ptr());
        }
    }
}
