// SPDX-License-Identifier: GPL-2.0

//! Directories in debugfs whose files show numbers.
//!
//! [`kernel::debugfs`] is not for modules yet: its file operations lie in the module and have no
//! owner, so that closing a file after the module was removed is a use after free. The files here
//! are the C side's, operations and all.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

// Without debugfs much is unused.
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

/// A file: its name, and which number of `T` it shows, in decimal and with a newline.
pub(crate) type File<T> = (&'static CStr, fn(&T) -> &Atomic<u64>);

/// A directory of read-only files about a `T`, taken away when this is dropped.
///
/// # Invariants
///
/// - `directory` is what `debugfs_create_dir()` has returned, an error at times, and only this
///   removes it.
/// - All its files show numbers of `data`.
pub(crate) struct Directory<T: Send + Sync + 'static> {
    #[cfg(CONFIG_DEBUG_FS)]
    directory: *mut bindings::dentry,
    // Dropped after `drop()` has removed the files, which waits for those who are reading. Whoever
    // has a file open still gets `EIO` from then on.
    data: Arc<T>,
}

// SAFETY: debugfs does not care which task removes a directory, and `Arc<T>` is `Send`.
unsafe impl<T: Send + Sync> Send for Directory<T> {}

// SAFETY: No method uses `directory` through `&self`, and `Arc<T>` is `Sync`.
unsafe impl<T: Send + Sync> Sync for Directory<T> {}

impl<T: Send + Sync> Directory<T> {
    /// Makes the directory `/sys/kernel/debug/<name>`.
    ///
    /// Does not fail: with debugfs disabled, or out of memory, files are missing. May sleep.
    pub(crate) fn new(name: &CStr, files: &[File<T>], data: Arc<T>) -> Self {
        // INVARIANT: The files are about `data`.
        Self {
            #[cfg(CONFIG_DEBUG_FS)]
            directory: Self::publish(name, files, &data),
            data,
        }
    }

    /// Makes the directory and its files, to be removed before `data` is dropped.
    #[cfg(CONFIG_DEBUG_FS)]
    fn publish(name: &CStr, files: &[File<T>], data: &Arc<T>) -> *mut bindings::dentry {
        // SAFETY: `name` is null-terminated.
        let directory = unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), null_mut()) };

        for (name, number) in files {
            // SAFETY: `name` is null-terminated, and `directory` may be an error. The number is
            // borrowed from `data`, which `Self` has a share in until the file is removed. The file
            // cannot be written, and reads the number in one go if a word has 64 bits; if not, the
            // worst is that it shows halves that do not belong together.
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

    /// Returns what the files are about.
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
