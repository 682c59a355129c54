//! Fixed-width base 62: one spelling per number, and nothing in it that a double click or a URL would cut.
//!
//! Numbers are big-endian limbs of 32 bits: 1 for a checksum, 4 for an id, 8 for a secret.

/// Digits in the order of ASCII, so that texts of one width sort as their numbers do.
const DIGITS: [u8; 62] = *b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Appends the number in `width` digits. The width must be that of the number's type: see the test.
pub(crate) fn push<const LIMBS: usize>(out: &mut String, width: usize, mut number: [u32; LIMBS]) {
    let start = out.len();
    for _ in 0..width {
        let mut remainder = 0_u64;
        for limb in &mut number {
            let value = remainder << 32 | u64::from(*limb);
            *limb = low(value / 62);
            remainder = value % 62;
        }
        let digit = usize::try_from(remainder).ok().and_then(|d| DIGITS.get(d)).copied().unwrap_or_default();
        // Digits come lowest first.
        out.insert(start, char::from(digit));
    }
    zeroize::Zeroize::zeroize(&mut number);
}

/// Reads a number; `None` for a character that is no digit and for a number that is too large.
pub(crate) fn read<const LIMBS: usize>(digits: &[u8]) -> Option<[u32; LIMBS]> {
    let mut number = [0_u32; LIMBS];
    for digit in digits {
        let mut carry = u64::from(match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            b'a'..=b'z' => digit - b'a' + 36,
            _ => return None,
        });
        for limb in number.iter_mut().rev() {
            let value = u64::from(*limb) * 62 + carry;
            *limb = low(value);
            carry = value >> 32;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(number)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
const fn low(value: u64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text<const LIMBS: usize>(width: usize, number: [u32; LIMBS]) -> String {
        let mut out = String::new();
        push(&mut out, width, number);
        out
    }

    #[test]
    fn the_widths_hold_the_largest_number_and_one_more_is_refused() {
        fn last_and_next<const LIMBS: usize>(width: usize, largest: &str) {
            assert_eq!(text(width, [u32::MAX; LIMBS]), largest);
            assert_eq!(read(largest.as_bytes()), Some([u32::MAX; LIMBS]));
            let mut next = largest.as_bytes().to_vec();
            *next.last_mut().unwrap() += 1;
            assert_eq!(read::<LIMBS>(&next), None);
            assert_eq!(read::<LIMBS>("z".repeat(width).as_bytes()), None);
        }
        // Computed apart from this code, with Python's integers.
        last_and_next::<1>(6, "4gfFC3");
        last_and_next::<4>(22, "7n42DGM5Tflk9n8mt7Fhc7");
        last_and_next::<8>(43, "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
    }

    proptest! {
        #[test]
        fn a_number_survives_and_keeps_its_order(a: [u32; 4], b: [u32; 4]) {
            let (x, y) = (text(22, a), text(22, b));
            prop_assert_eq!(x.len(), 22);
            prop_assert_eq!(read(x.as_bytes()), Some(a));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }
        #[test]
        fn a_text_that_is_read_is_the_only_spelling_of_its_number(s in "[0-9A-Za-z]{43}") {
            if let Some(number) = read::<8>(s.as_bytes()) {
                prop_assert_eq!(text(43, number), s);
            }
        }
    }
}
