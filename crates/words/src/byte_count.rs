//! A byte count as people write it: `5 MiB`.

use std::fmt;
use std::str::FromStr;

/// The units and their bytes: five binary ones, the smallest first, and the decimal ones, which are read and never printed.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// A number of bytes. Prints in the largest binary unit of which it has at least one, with one decimal if that is not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteCount(pub u64);

impl fmt::Display for ByteCount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, size) =
            UNITS[..5].iter().rfind(|(_, size)| self.0 >= *size).unwrap_or(&UNITS[0]);
        let (whole, tenth) = (self.0 / size, self.0 % size * 10 / size);
        match tenth {
            0 => write!(out, "{whole} {name}"),
            _ => write!(out, "{whole}.{tenth} {name}"),
        }
    }
}

impl FromStr for ByteCount {
    type Err = ByteCountError;

    /// Accepts a whole number and a unit: `5 MiB`, `512KiB`, `10 MB`, `0 B`.
    fn from_str(text: &str) -> Result<Self, ByteCountError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| ByteCountError::Shape)?;
        let unit = unit.trim();
        let (_, factor) =
            UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(ByteCountError::Shape)?;
        number.checked_mul(factor).map(Self).ok_or(ByteCountError::TooLarge)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ByteCountError {
    #[error("a size is a whole number and a unit, such as '5 MiB', '512 KiB' or '10 MB'")]
    Shape,
    #[error("the size does not fit into 64 bits")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_binary_and_decimal_units() {
        assert_eq!("5 MiB".parse(), Ok(ByteCount(5 << 20)));
        assert_eq!("512KiB".parse(), Ok(ByteCount(512 << 10)));
        assert_eq!("10 MB".parse(), Ok(ByteCount(10_000_000)));
        assert_eq!("0 B".parse(), Ok(ByteCount(0)));
    }

    #[test]
    fn sizes_without_a_unit_or_with_a_wrong_one_are_refused() {
        for text in ["5", "MiB", "5 mib", "-1 MiB", "1.5 MiB", ""] {
            assert_eq!(text.parse::<ByteCount>(), Err(ByteCountError::Shape), "{text:?}");
        }
        assert_eq!("99999999999 TiB".parse::<ByteCount>(), Err(ByteCountError::TooLarge));
    }

    #[test]
    fn sizes_print_in_the_largest_unit_that_fits() {
        assert_eq!(ByteCount(999).to_string(), "999 B");
        assert_eq!(ByteCount(5 << 20).to_string(), "5 MiB");
        assert_eq!(ByteCount((5 << 20) + (1 << 19)).to_string(), "5.5 MiB");
    }
}
