// SPDX-License-Identifier: GPL-2.0

//! Directories in debugfs whose files show numbers.
//!
//! [`kernel::debugfs`] cannot be used by modules yet: its file operations are in the module and
//! have no owner, so closing a file after the module was removed is a use after free. The files
//! here use the file operations of the C side.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

// Without debugfs, much of this is unused.
#![cfg_attr(not(CONFIG_DEBUG_FS), allow(unused_variables))]

#[cfg(CONFIG_DEBUG_FS)]
use core::ptr::null_mut;
#[cfg(CONFIG_DEBUG_FS)]
use kernel::bindings;
use kernel::{
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc, //
    }, //
};

/// A file: its name, and the number of `T` that it shows, in decimal and with a newline.
pub(crate) type File<T> = (&'static CStr, fn(&T) -> &Atomic<u64>);

/// A directory of read-only files that show a `T`, removed when this is dropped.
///
/// # Invariants
///
/// - `directory` is the return value of `debugfs_create_dir()`, possibly an error, and only this
///   removes it.
/// - All of its files show numbers of `data`.
pub(crate) struct Directory<T: Send + Sync + 'static> {
    #[cfg(CONFIG_DEBUG_FS)]
    directory: *mut bindings::dentry,
    // Dropped after `drop()` has removed the files, which waits for readers. Reading a file that is
    // still open fails with `EIO` from then on.
    data: Arc<T>,
}

// SAFETY: Any task may remove a directory from debugfs, and `Arc<T>` is `Send`.
unsafe impl<T: Send + Sync> Send for Directory<T> {}

// SAFETY: No method uses `directory` through `&self`, and `Arc<T>` is `Sync`.
unsafe impl<T: Send + Sync> Sync for Directory<T> {}

impl<T: Send + Sync> Directory<T> {
    /// Creates the directory `/sys/kernel/debug/<name>`.
    ///
    /// Does not fail: if debugfs is disabled, or memory runs out, files are missing. May sleep.
    pub(crate) fn new(name: &CStr, files: &[File<T>], data: Arc<T>) -> Self {
        // INVARIANT: The files show `data`.
        Self {
            #[cfg(CONFIG_DEBUG_FS)]
            directory: Self::publish(name, files, &data),
            data,
        }
    }

    /// Creates the directory and its files, which must be removed before `data` is dropped.
    #[cfg(CONFIG_DEBUG_FS)]
    fn publish(name: &CStr, files: &[File<T>], data: &Arc<T>) -> *mut bindings::dentry {
        // SAFETY: `name` is null-terminated.
        let directory = unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), null_mut()) };

        for (name, number) in files {
            // SAFETY: `name` is null-terminated, and `directory` may be an error. The number is
            // borrowed from `data`, to which `Self` holds a reference until the file is removed.
            // The file is read-only, and on 64-bit systems it reads the number atomically.
            // Elsewhere, the worst case is that it shows halves that do not belong together.
            unsafe {
                bindings::debugfs_create_u64(
                    name.as_char_ptr(),
                    0o444,
                    directory,
                    number(data).as_ptr(),
                )
            };
        }
        directory
    }

    /// Returns the data that the files show.
    pub(crate) fn data(&self) -> &Arc<T> {
        &self.data
    }
}

impl<T: Send + Sync> Drop for Directory<T> {
    fn drop(&mut self) {
        #[cfg(CONFIG_DEBUG_FS)]
        // SAFETY: By the type invariants; errors are ignored.
        unsafe {
            bindings::debugfs_remove(self.directory)
        };
    }
}
