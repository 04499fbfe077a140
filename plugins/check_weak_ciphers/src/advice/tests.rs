#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

use super::*;

fn programs(port: u16, starttls: Option<Protocol>) -> Vec<&'static str> {
    of(FindingKind::Tls10, port, starttls).map(|(software, _)| software).collect()
}

#[test]
fn programs_by_the_port() {
    let mail = ["Postfix", "Exim (GnuTLS)", "Exim (OpenSSL)"];
    for (port, starttls, expected) in [
        (443, None, &["nginx", "Apache"][..]),
        (465, None, &mail),
        (2525, Some(Protocol::Smtp), &mail),
        (993, None, &["Dovecot"]),
        (1430, Some(Protocol::Imap), &["Dovecot"]),
        (24, Some(Protocol::Lmtp), &["Dovecot"]),
        (5432, Some(Protocol::Postgres), &[]),
        (636, None, &[]),
    ] {
        assert_eq!(programs(port, starttls), expected, "{port} {starttls:?}");
    }
    assert_eq!(programs(8443, None).len(), 6);
}

#[test]
fn releases_have_settings_of_their_own() {
    let lines: Vec<_> = of(FindingKind::DhSmall, 993, None).collect();
    let expected: [(&str, &[&str]); 2] = [
        ("Dovecot 2.3", &["ssl_dh = </etc/ssl/dh.pem"]),
        ("Dovecot 2.4", &["ssl_server_dh_file = /etc/ssl/dh.pem"]),
    ];
    assert_eq!(lines, expected);
    assert!(note(FindingKind::DhSmall).unwrap().contains("-out /etc/ssl/dh.pem"));
}

/// No finding is left without a word, but for those that no setting of a server brings about.
#[test]
fn every_finding_has_advice() {
    let without: Vec<&str> = FindingKind::ALL
        .into_iter()
        .filter(|(kind, ..)| {
            !kind.is_difference() && note(*kind).is_none() && of(*kind, 8443, None).next().is_none()
        })
        .map(|(_, name, _)| name)
        .collect();
    assert_eq!(without, ["protocol_violation", "ends_soon", "tls1_3", "client_preference"]);
}

/// A line can be pasted: it is one line, has no blanks around it, and ends as its program's lines do.
#[test]
fn lines_can_be_pasted() {
    for (kind, name, _) in FindingKind::ALL {
        let mut programs = Vec::new();
        for (software, lines) in of(kind, 8443, None) {
            assert!(!lines.is_empty() && !programs.contains(&software), "{name} {software}");
            programs.push(software);
            for line in lines {
                assert_eq!(line.trim(), *line);
                assert!(line.is_ascii() && !line.contains(['\n', '|']), "{line}");
                assert_eq!(line.ends_with(';'), software == "nginx", "{line}");
                assert_eq!(line.contains(" ="), !matches!(software, "nginx" | "Apache"), "{line}");
            }
        }
    }
}
