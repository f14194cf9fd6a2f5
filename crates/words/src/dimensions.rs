//! Width and height of an image in pixels.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Width and height in pixels. Those of a stored image are as shown, with its EXIF orientation applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dimensions {
    pub width: u32,
    pub height: u32,
}

impl Dimensions {
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Accepts `1600x1200`: two whole numbers from 1 to 65535.
    pub fn parse(text: &str) -> Option<Self> {
        let (width, height) = text.split_once('x')?;
        Some(Self::new(side(width)?, side(height)?))
    }

    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Width divided by height.
    pub fn ratio(self) -> f64 {
        f64::from(self.width) / f64::from(self.height.max(1))
    }

    pub fn swapped(self) -> Self {
        Self::new(self.height, self.width)
    }

    /// The largest size with the same ratio inside `bounds`; never larger than `self`, never below 1x1.
    pub fn fit_inside(self, bounds: Self) -> Self {
        if self.width <= bounds.width && self.height <= bounds.height {
            return self;
        }
        let wide = u64::from(self.width) * u64::from(bounds.height)
            >= u64::from(self.height) * u64::from(bounds.width);
        if wide {
            Self::new(bounds.width, scale(self.height, bounds.width, self.width))
        } else {
            Self::new(scale(self.width, bounds.height, self.height), bounds.height)
        }
    }
}

/// `side * to / from`, rounded to the nearest, at least 1.
pub fn scale(side: u32, to: u32, from: u32) -> u32 {
    let from = u64::from(from.max(1));
    let scaled = (u64::from(side) * u64::from(to) + from / 2) / from;
    u32::try_from(scaled.max(1)).unwrap_or(u32::MAX)
}

impl fmt::Display for Dimensions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}x{}", self.width, self.height)
    }
}

/// One side in pixels: decimal digits only, 1 to 65535.
pub fn side(text: &str) -> Option<u32> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<u16>().ok().filter(|_| plain).map(u32::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitting_keeps_the_ratio_and_never_enlarges() {
        let fit =
            |w, h, bw, bh| Dimensions::new(w, h).fit_inside(Dimensions::new(bw, bh)).to_string();
        assert_eq!(fit(4000, 3000, 1600, 1600), "1600x1200");
        assert_eq!(fit(3000, 4000, 1600, 1600), "1200x1600");
        assert_eq!(fit(100, 50, 1600, 1600), "100x50");
        assert_eq!(fit(10_000, 1, 100, 100), "100x1");
    }

    #[test]
    fn dimensions_are_two_plain_numbers() {
        assert_eq!(Dimensions::parse("1600x1200"), Some(Dimensions::new(1600, 1200)));
        for text in ["1600", "x", "0x10", "+1x1", "01x1", "70000x1", "1x"] {
            assert_eq!(Dimensions::parse(text), None, "{text:?}");
        }
    }
}
