//! The EXIF orientation, read from the TIFF structure in which a JPEG, PNG or WebP carries EXIF.

use words::dimensions::Dimensions;

/// The turn by which stored pixels are shown upright: EXIF tag 0x0112, values 1 to 8 (CIPA DC-008, 4.6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Orientation {
    #[default]
    Upright = 1,
    FlippedHorizontally = 2,
    Rotated180 = 3,
    FlippedVertically = 4,
    /// Mirrored at the diagonal from the top left to the bottom right.
    Transposed = 5,
    /// To be shown, the pixels are turned 90 degrees clockwise.
    Rotated90 = 6,
    /// Mirrored at the diagonal from the top right to the bottom left.
    Transversed = 7,
    /// To be shown, the pixels are turned 270 degrees clockwise.
    Rotated270 = 8,
}

impl Orientation {
    /// In the order of their tags.
    pub const ALL: [Self; 8] = [
        Self::Upright,
        Self::FlippedHorizontally,
        Self::Rotated180,
        Self::FlippedVertically,
        Self::Transposed,
        Self::Rotated90,
        Self::Transversed,
        Self::Rotated270,
    ];

    pub fn from_tag(value: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|turn| *turn as u16 == value)
    }

    /// Whether the turn exchanges width and height.
    pub fn swaps_sides(self) -> bool {
        matches!(self, Self::Transposed | Self::Rotated90 | Self::Transversed | Self::Rotated270)
    }

    pub fn applied_to(self, size: Dimensions) -> Dimensions {
        if self.swaps_sides() { size.swapped() } else { size }
    }
}

const ORIENTATION_TAG: usize = 0x0112;
/// The bytes that a JPEG puts before the structure.
pub const PREFIX: &[u8] = b"Exif\0\0";

/// The orientation in a TIFF structure, with or without the prefix. A malformed structure is upright.
pub fn orientation(structure: &[u8]) -> Orientation {
    let tiff = structure.strip_prefix(PREFIX).unwrap_or(structure);
    let value = find(tiff).and_then(|(at, size)| u16::try_from(number(tiff, at, size)?).ok());
    value.and_then(Orientation::from_tag).unwrap_or_default()
}

/// The structure with its orientation, if it has one, set to upright: for pixels that were turned.
pub fn upright(structure: &[u8]) -> Vec<u8> {
    let mut turned = structure.to_vec();
    let prefix = if structure.starts_with(PREFIX) { PREFIX.len() } else { 0 };
    let tiff = &structure[prefix..];
    if let Some((at, size)) = find(tiff) {
        let value = &mut turned[prefix + at..][..size];
        value.fill(0);
        value[if tiff.starts_with(b"II") { 0 } else { size - 1 }] = 1;
    }
    turned
}

/// A structure that holds the orientation and nothing else.
pub fn minimal(orientation: Orientation) -> [u8; 26] {
    let mut structure = *b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x01\0\0\0\0\0\0";
    structure[19] = orientation as u8;
    structure
}

/// The offset of the orientation in the first directory, and its length. The standard has a SHORT; some programs write another
/// whole number.
fn find(tiff: &[u8]) -> Option<(usize, usize)> {
    if !tiff.starts_with(b"II*\0") && !tiff.starts_with(b"MM\0*") {
        return None;
    }
    let directory = number(tiff, 4, 4)?;
    let mut entries =
        (0..number(tiff, directory, 2)?).map_while(|entry| directory.checked_add(2 + entry * 12));
    entries.find_map(|at| {
        let size = match (number(tiff, at, 2)?, number(tiff, at + 2, 2)?) {
            // BYTE and SBYTE, SHORT and SSHORT, LONG and SLONG.
            (ORIENTATION_TAG, 1 | 6) => 1,
            (ORIENTATION_TAG, 3 | 8) => 2,
            (ORIENTATION_TAG, 4 | 9) => 4,
            _ => return None,
        };
        number(tiff, at + 8, size).map(|_| (at + 8, size))
    })
}

/// A number of one, two or four bytes, in the byte order of the structure.
fn number(tiff: &[u8], at: usize, size: usize) -> Option<usize> {
    let bytes = tiff.get(at..at.checked_add(size)?)?.iter();
    let append = |number: usize, byte: &u8| number << 8 | usize::from(*byte);
    let little = tiff.starts_with(b"II");
    Some(if little { bytes.rev().fold(0, append) } else { bytes.fold(0, append) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiff(order: [u8; 4], value: u16) -> Vec<u8> {
        let little = order == *b"II*\0";
        let short = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let long = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let mut bytes = order.to_vec();
        bytes.extend(long(8));
        bytes.extend(short(1));
        bytes.extend(short(0x0112));
        bytes.extend(short(3));
        bytes.extend(long(1));
        bytes.extend(short(value));
        bytes.extend([0, 0]);
        bytes
    }

    #[test]
    fn the_orientation_is_read_in_both_byte_orders() {
        assert_eq!(orientation(&tiff(*b"II*\0", 6)), Orientation::Rotated90);
        assert_eq!(orientation(&tiff(*b"MM\0*", 8)), Orientation::Rotated270);
        let prefixed = [b"Exif\0\0".to_vec(), tiff(*b"MM\0*", 3)].concat();
        assert_eq!(orientation(&prefixed), Orientation::Rotated180);
    }

    #[test]
    fn a_minimal_structure_says_its_orientation_and_can_be_set_upright() {
        for value in 1..=8 {
            let turn = Orientation::from_tag(value).expect("1 to 8 are orientations");
            assert_eq!(orientation(&minimal(turn)), turn);
        }
        for order in [*b"II*\0", *b"MM\0*"] {
            let prefixed = [b"Exif\0\0".to_vec(), tiff(order, 6)].concat();
            assert_eq!(orientation(&upright(&prefixed)), Orientation::Upright);
            assert_eq!(upright(&tiff(order, 6)), tiff(order, 1));
        }
    }

    #[test]
    fn a_malformed_structure_is_upright_and_never_panics() {
        let whole = tiff(*b"II*\0", 6);
        for end in 0..whole.len() {
            let _ = orientation(&whole[..end]);
        }
        assert_eq!(orientation(&tiff(*b"II*\0", 99)), Orientation::Upright);
        let mut wild = whole;
        wild[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(orientation(&wild), Orientation::Upright);
    }
}
