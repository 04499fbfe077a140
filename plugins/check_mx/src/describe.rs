//! Background for `-v`: who said what, and how the load is spread.

use common::net::Family;
use common::net::dns::Route;
use common::report::Report;

use crate::agreement::{Says, failure, shown};
use crate::probe::{groups, order};
use crate::seen::{Resolver, Seen};

/// Takes down what each resolver said.
pub(crate) fn describe_resolvers(seen: &Seen, report: &mut Report) {
    for resolver in &seen.resolvers {
        report.context(1, line(resolver));
        if !resolver.mail.aliases.is_empty() {
            let aliases: Vec<&str> = resolver.mail.aliases.iter().map(|name| shown(name)).collect();
            report.context(
                1,
                format!("{}: the domain is an alias of {}", resolver.name, aliases.join(", then of ")),
            );
        }
        for host in &resolver.mail.hosts {
            let addresses: Vec<String> =
                host.addresses(Family::Any).map(|address| address.to_string()).collect();
            let ttl = host.lookups().iter().filter_map(|lookup| lookup.ttl).min();
            let ttl = ttl.map(|ttl| format!(" (TTL {ttl})")).unwrap_or_default();
            let shown_addresses =
                if addresses.is_empty() { "no address".to_owned() } else { addresses.join(", ") };
            report.context(2, format!("{}: {} {shown_addresses}{ttl}", resolver.name, shown(&host.host)));
        }
    }
    if let Some(first) = seen.resolvers.iter().find(|resolver| !resolver.mail.records.is_empty()) {
        for group in groups(&first.mail.records).filter(|group| group.len() > 1) {
            let preference = group.first().map(|record| record.preference).unwrap_or_default();
            let hosts: Vec<&str> = group.iter().map(|record| shown(&record.host)).collect();
            report.context(1, format!("preference {preference} is shared by {}", hosts.join(", ")));
        }
    }
}

fn line(resolver: &Resolver) -> String {
    let mail = &resolver.mail;
    let time = mail.time.map(|time| format!(" in {:.1} ms", time.as_secs_f64() * 1000.0)).unwrap_or_default();
    let said = match (&mail.route, Says::of(mail)) {
        (Route::Listed | Route::Null, _) => {
            let records = mail.records.iter().take(64);
            let ttl = mail.records.iter().map(|record| record.ttl).min().unwrap_or_default();
            let list: Vec<String> =
                records.map(|record| format!("{} {}", record.preference, shown(&record.host))).collect();
            format!("{} (TTL {ttl})", list.join(", "))
        }
        (_, Some(says)) => says.to_string(),
        (_, None) => failure(resolver).unwrap_or_default(),
    };
    format!("{}: {said}{time}{}", resolver.name, balance(resolver))
}

/// Whether a second answer had another order.
fn balance(resolver: &Resolver) -> &'static str {
    match &resolver.again {
        Some(again) if order(&resolver.mail) == *again => ", in the same order when asked again",
        Some(_) => ", in another order when asked again",
        None => "",
    }
}
