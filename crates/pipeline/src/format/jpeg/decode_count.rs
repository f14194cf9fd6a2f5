//! Counts how often JPEG data is decoded: times are noisy, counts are not.

#[cfg(test)]
thread_local! {
    /// By this thread.
    pub static JPEG_DECODES: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Called wherever all of a JPEG's data is decoded.
pub fn count() {
    #[cfg(test)]
    JPEG_DECODES.set(JPEG_DECODES.get() + 1);
}
