//! Identifiers of the objects in a template, made from their names: an object keeps its
//! history when a newer template is imported, so they are the same for ever.

/// FNV-1a, 128 bits: spread over all bits, and nothing to depend on.
const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// 32 hexadecimal digits in the shape of a random UUID (RFC 9562, version 4), the only one
/// that Zabbix takes.
#[must_use]
pub fn uuid(kind: &str, name: &str) -> String {
    let text = format!("vedette zabbix {kind} {name}");
    let hash = text.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    let version = hash & !(0xf << 76) | (0x4 << 76);
    let variant = version & !(0x3 << 62) | (0x2 << 62);
    format!("{variant:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_for_ever() {
        assert_eq!(uuid("item", "vedette.smtp_auth.state"), "490076891a1141a6b81108262cc825ea");
    }

    #[test]
    fn version_and_variant() {
        for number in 0..100 {
            let id = uuid("item", &number.to_string());
            assert_eq!((id.len(), &id[12..13]), (32, "4"), "{id}");
            assert!("89ab".contains(&id[16..17]), "{id}");
        }
    }
}
