//! What other programs see of the same network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::arp::{Host, Mac};
use crate::process::program;

/// Every answer that arp-scan prints for a range in its own notation; each address is asked once.
#[must_use]
pub fn arp_scan(host: &Host, range: &str) -> Vec<(Ipv4Addr, Mac)> {
    let text = run(host, ("arp-scan", "arp-scan"), &["-I", "eth0", "-x", "-q", "-r", "1", range]);
    let rows = text.lines().filter_map(|row| {
        let (address, rest) = row.split_once('\t')?;
        Some((address.parse().ok()?, rest.get(..17)?.parse().ok()?))
    });
    rows.collect()
}

/// The one MAC that `nmap -sn -PR` has for an address.
#[must_use]
pub fn nmap(host: &Host, address: Ipv4Addr) -> Option<Mac> {
    let text = run(host, ("nmap", "nmap"), &["-n", "-sn", "-PR", "-oX", "-", &address.to_string()]);
    let mut addresses = text.split("<address addr=\"").filter(|row| row.contains("addrtype=\"mac\""));
    addresses.find_map(|row| row.split('"').next()?.parse().ok())
}

/// Whether `arping -D` says that the address is free.
#[must_use]
pub fn arping_finds_it_free(host: &Host, address: Ipv4Addr) -> bool {
    let mut command = host.command(program("arping", "iputils-arping"));
    command.args(["-q", "-D", "-I", "eth0", "-c", "1", "-w", "1", &address.to_string()]);
    command.output().expect("arping starts").status.success()
}

/// Every MAC that `ndisc6 -m` hears for an address within its second.
#[must_use]
pub fn ndisc6(host: &Host, address: Ipv6Addr) -> Vec<Mac> {
    let text = run(host, ("ndisc6", "ndisc6"), &["-m", "-n", "-q", "-r", "1", &address.to_string(), "eth0"]);
    text.lines().filter_map(|row| row.trim().to_ascii_lowercase().parse().ok()).collect()
}

/// The default routers of the kernel, of the family `-4` or `-6`.
#[must_use]
pub fn default_routers(host: &Host, family: &str) -> Vec<IpAddr> {
    let text = host.run("ip", &[family, "route", "show", "default"]);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    words.windows(2).filter(|pair| pair[0] == "via").filter_map(|pair| pair[1].parse().ok()).collect()
}

fn run(host: &Host, (name, package): (&str, &str), arguments: &[&str]) -> String {
    let path = program(name, package);
    host.run(path.to_str().expect("a plain path"), arguments)
}
