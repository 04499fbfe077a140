//! Rules about router advertisements.

use std::collections::BTreeSet;
use std::net::IpAddr;

use common::report::State;

use super::Scene;
use crate::mac::Mac;
use crate::memory::{Router, routers};
use crate::options::{Cidr, Id};
use crate::seen::Advertised;

pub(super) fn advertisements(scene: &mut Scene<'_>) {
    let mut told = BTreeSet::new();
    for (ip, router) in routers(scene.interface, scene.picture) {
        if told.insert((ip, router.mac)) {
            judge_router(scene, ip, &router);
        }
    }
    let Some(wire) = scene.wire() else { return };
    for advertised in &wire.advertisements {
        judge_content(scene, advertised);
    }
}

fn judge_router(scene: &mut Scene<'_>, ip: IpAddr, router: &Router) {
    let listed = &scene.check.expect.router;
    let mac = router.mac;
    if !listed.is_empty() {
        let matching = listed.iter().find(|known| IpAddr::from(known.ip) == ip);
        let why = match matching {
            None => "advertises itself as a router, which is not in the list of --router".to_owned(),
            Some(known) => match known.mac {
                Some(expected) if expected != mac => format!("is the router that should be {expected}"),
                _ => return,
            },
        };
        scene.suspect(Id::Ra, State::Critical, Some(ip), vec![mac], format!("{mac} {why}"));
        return;
    }
    let Some(known) = scene.known else { return };
    let hint = Some(format!("if it is one of yours: --router {ip}={mac}, or run once with --learn"));
    match known.routers.get(&ip) {
        None if known.routers.is_empty() => {}
        None => {
            let text =
                format!("{mac} advertises itself as a router and is not one of those that were learned");
            scene.suspect_with(Id::Ra, State::Critical, Some(ip), vec![mac], text, hint);
        }
        Some(before) if before.mac != mac => {
            let text = format!("the router was learned as {}", before.mac);
            scene.suspect_with(Id::Ra, State::Critical, Some(ip), vec![mac], text, hint);
        }
        Some(before) => {
            if let (Some(now), Some(before)) = (router.preference, before.preference)
                && now != before
            {
                let text = format!("the router's preference is {now}, learned as {before}");
                scene.suspect_with(Id::Ra, State::Warning, Some(ip), vec![mac], text, hint);
            }
        }
    }
}

fn judge_content(scene: &mut Scene<'_>, advertised: &Advertised) {
    let said = &advertised.said;
    let ip = IpAddr::from(said.router);
    let expected = &scene.check.expect.prefix;
    if !expected.is_empty() {
        let is_expected = |prefix: Cidr| expected.contains(&prefix);
        let strange: Vec<String> = said
            .prefixes
            .iter()
            .map(|(prefix, bits)| Cidr::around((*prefix).into(), *bits))
            .filter(|prefix| !is_expected(*prefix))
            .map(|prefix| prefix.to_string())
            .collect();
        if !strange.is_empty() {
            let text = format!("advertises {}, which is no prefix of --prefix", strange.join(" and "));
            scene.suspect(Id::Ra, State::Warning, Some(ip), vec![said.mac], text);
        }
    }
    let is_default = scene.interface.gateways.iter().any(|gateway| gateway.ip == ip && gateway.is_default);
    if said.lifetime_seconds == 0 && is_default {
        let text = "says that it is no longer a default router";
        scene.suspect(Id::Ra, State::Warning, Some(ip), vec![said.mac], text);
    }
    if advertised.source != said.mac {
        let macs: Vec<Mac> = vec![said.mac, advertised.source];
        let text = format!("{} advertises itself in a frame from {}", said.mac, advertised.source);
        scene.suspect(Id::Mismatch, scene.grave_for(ip), Some(ip), macs, text);
    }
}
