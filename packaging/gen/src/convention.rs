//! What an option is called at the sites that use the plugins: the one table.

/// Where an option's value comes from when a service does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convention {
    /// The option, by its identifier.
    pub id: &'static str,
    /// Default of the custom variable in Icinga 2.
    pub icinga2: &'static str,
    /// Template of Icinga's own library that the default needs.
    pub icinga2_import: Option<&'static str>,
}

/// The template library sets `check_address` to the host's `address`, or to its `address6`
/// when there is no `address` or `check_ipv6` is set.
const CONVENTIONS: [Convention; 1] =
    [Convention { id: "hostname", icinga2: "$check_address$", icinga2_import: Some("ipv4-or-ipv6") }];

/// The convention for an option, if there is one.
#[must_use]
pub fn convention(id: &str) -> Option<&'static Convention> {
    CONVENTIONS.iter().find(|convention| convention.id == id)
}
