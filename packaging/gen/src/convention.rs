//! What an option is called at the sites that use the plugins: the one table.

/// Where the package puts the plugins.
pub(crate) const PLUGINS: &str = "/usr/lib/vedette/plugins";

/// Where an option's value comes from when a service does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convention {
    /// The option, by its identifier.
    pub id: &'static str,
    /// Default of the custom variable in Icinga 2.
    pub icinga2: &'static str,
    /// Template of Icinga's own library that the default needs.
    pub icinga2_import: Option<&'static str>,
    /// Macro of Nagios.
    pub nagios: &'static str,
}

/// The template library sets `check_address` to the host's `address`, or to its `address6`
/// when there is no `address` or `check_ipv6` is set.
const CONVENTIONS: [Convention; 1] = [Convention {
    id: "hostname",
    icinga2: "$check_address$",
    icinga2_import: Some("ipv4-or-ipv6"),
    nagios: "$HOSTADDRESS$",
}];

/// The convention for an option, if there is one.
#[must_use]
pub fn convention(id: &str) -> Option<&'static Convention> {
    CONVENTIONS.iter().find(|convention| convention.id == id)
}

/// Options that differ from host to host: each has a macro of its own in Zabbix, with the
/// value it has there when nobody sets it.
const ZABBIX: [(&str, Option<&str>); 6] = [
    // Below the server's own limit of 3 s, or the line that says where it hung is lost.
    ("timeout", Some("2.5")),
    ("port", None),
    ("user", None),
    ("password_file", None),
    ("warning", None),
    ("critical", None),
];

/// Whether an option has a macro of its own in Zabbix, and its value there.
#[must_use]
pub fn zabbix_default(id: &str) -> Option<Option<&'static str>> {
    ZABBIX.iter().find(|(known, _)| *known == id).map(|(_, value)| *value)
}

/// The option that Zabbix sets itself, and to what: address or name of the host's interface.
/// It stands in the key, because a macro's value may not hold another macro.
pub const ZABBIX_TARGET: (&str, &str) = ("hostname", "{HOST.CONN}");
