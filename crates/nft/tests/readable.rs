//! People can read what we write: every `nft` from Debian 11 on lists our tables, and what
//! can be loaded again makes the same tables.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod common;
#[path = "common/listing.rs"]
mod listing;
#[path = "common/mixed_services.rs"]
mod mixed_services;
#[path = "common/nft_json.rs"]
mod nft_json;
#[path = "common/nft_program.rs"]
mod nft_program;
#[path = "common/nft_text.rs"]
mod nft_text;
#[path = "common/serving.rs"]
mod serving;
#[path = "common/settings.rs"]
mod settings;

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_core::{Backend as _, ServicePlan, SyncReport};
use portolan_lab::{Namespace, namespaced};
use portolan_nft::{Ipvs, NftBackend, NftOptions, Ruleset, render};

use self::mixed_services::mixed_services;
use self::nft_json::comparable;
use self::nft_program::Nft;
use self::nft_text::NftText;
use self::serving::Serving;
use self::settings::settings;

const SERVICES: u16 = 1000;

/// Services that one transaction may add: `net.core.wmem_max` limits it in a user namespace.
const SERVICES_AT_ONCE: usize = 100;

/// What a fresh backend does to make the tables those of the plans.
fn converge(plans: &[Arc<ServicePlan>]) -> SyncReport {
    let mut backend = NftBackend::open(NftOptions::default()).unwrap();
    backend.converge(&mut plans.iter(), &common::environment()).unwrap()
}

/// A namespace with the tables of the plans.
fn programmed(plans: &[Arc<ServicePlan>]) -> Namespace {
    let namespace = Namespace::new("programmed").unwrap();
    namespace.run(|| {
        for count in (0..=plans.len()).step_by(SERVICES_AT_ONCE) {
            converge(plans.get(..count).unwrap());
        }
        assert_eq!(converge(plans), SyncReport::default());
    });
    namespace
}

fn sorted<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut lines: Vec<&str> = lines.collect();
    lines.sort_unstable();
    lines
}

fn rendered(plans: &[Arc<ServicePlan>]) -> Ruleset {
    render(plans, &common::environment(), &NftOptions::default())
}

#[test]
fn every_nft_lists_the_table_and_names_every_chain_and_service() {
    namespaced("every_nft_lists_the_table_and_names_every_chain_and_service", || {
        let plans = mixed_services(SERVICES);
        let text = NftText::parse(&rendered(&plans).to_string());
        let planned = Serving::planned(&plans, &common::environment());
        let services = planned.frontends.values().map(|served| served.comment.as_str());
        let services: BTreeSet<&str> = services.collect();
        assert!(services.len() >= plans.len(), "{services:?}");
        let namespace = programmed(&plans);
        for nft in Nft::all() {
            let listing = namespace.run(|| nft.list());
            assert_eq!(sorted(listing.headings()), sorted(text.headings()), "{nft}");
            assert_eq!(listing.comments().collect::<BTreeSet<_>>(), services, "{nft}");
        }
    });
}

#[test]
fn a_listing_loads_again_and_makes_the_same_table() {
    namespaced("a_listing_loads_again_and_makes_the_same_table", || {
        let plans = mixed_services(SERVICES);
        let namespace = programmed(&plans);
        for nft in Nft::all_that_load() {
            let listing = namespace.run(|| nft.list());
            Namespace::new("loaded").unwrap().run(|| {
                nft.load(&listing);
                assert_eq!(converge(&plans), SyncReport::default(), "{nft}");
                assert_eq!(nft.list(), listing, "{nft}");
            });
        }
    });
}

#[test]
fn a_listing_of_a_table_that_is_divided_or_hands_connections_over_loads_again_too() {
    namespaced(
        "a_listing_of_a_table_that_is_divided_or_hands_connections_over_loads_again_too",
        || {
            let plans = mixed_services(20);
            let others = [
                NftOptions { ipvs: Ipvs::Draining, ..NftOptions::default() },
                NftOptions { ipvs: Ipvs::Serving, ..NftOptions::default() },
                NftOptions { endpoints_per_map: 10, ..NftOptions::default() },
            ];
            for options in others {
                let converge = || {
                    let mut backend = NftBackend::open(options.clone()).unwrap();
                    backend.converge(&mut plans.iter(), &common::environment()).unwrap()
                };
                let namespace = Namespace::new("programmed").unwrap();
                assert_ne!(namespace.run(converge), SyncReport::default());
                for nft in Nft::all_that_load() {
                    let listing = namespace.run(|| nft.list());
                    Namespace::new("loaded").unwrap().run(|| {
                        nft.load(&listing);
                        assert_eq!(converge(), SyncReport::default(), "{nft} {options:?}");
                        assert_eq!(nft.list(), listing, "{nft} {options:?}");
                    });
                }
            }
        },
    );
}

#[test]
fn rendered_text_loads_and_makes_the_table_of_the_plans() {
    namespaced("rendered_text_loads_and_makes_the_table_of_the_plans", || {
        let plans = mixed_services(SERVICES);
        let text = NftText::parse(&rendered(&plans).to_string());
        for nft in Nft::all_that_load() {
            Namespace::new("loaded").unwrap().run(|| {
                nft.load(&text);
                assert_eq!(converge(&plans), SyncReport::default(), "{nft}");
            });
        }
    });
}

#[test]
fn every_nft_reads_in_the_table_what_the_plans_say() {
    namespaced("every_nft_reads_in_the_table_what_the_plans_say", || {
        let plans = mixed_services(SERVICES);
        let planned = Serving::planned(&plans, &common::environment());
        let namespace = programmed(&plans);
        for nft in Nft::all() {
            let mut listed = Serving::listed(&namespace.run(|| nft.list_json()));
            for (frontend, served) in &planned.frontends {
                assert_eq!(
                    listed.frontends.remove(frontend).as_ref(),
                    Some(served),
                    "{frontend:?}"
                );
            }
            assert!(listed.frontends.is_empty(), "{nft}: not planned: {:?}", listed.frontends);
            assert_eq!(listed.addresses, planned.addresses, "{nft}");
        }
    });
}

#[test]
fn listings_of_every_setting_load_again_and_make_the_same_table() {
    namespaced("listings_of_every_setting_load_again_and_make_the_same_table", || {
        let plans = common::one_of_each();
        for (environment, options) in settings() {
            let converge = || {
                let mut backend = NftBackend::open(options.clone()).unwrap();
                backend.converge(&mut plans.iter(), &environment).unwrap()
            };
            for nft in Nft::all_that_load() {
                let listing = Namespace::new("programmed").unwrap().run(|| {
                    converge();
                    nft.list()
                });
                Namespace::new("loaded").unwrap().run(|| {
                    nft.load(&listing);
                    assert_eq!(converge(), SyncReport::default(), "{nft}: {options:?}");
                    assert_eq!(nft.list(), listing, "{nft}: {options:?}");
                });
            }
        }
    });
}

#[test]
fn rendered_json_is_what_nft_1_0_6_prints_of_the_rendered_text() {
    namespaced("rendered_json_is_what_nft_1_0_6_prints_of_the_rendered_text", || {
        let nft = Nft::of_version([1, 0, 6]);
        let small = common::one_of_each();
        // Of a mask of the highest bit alone, this version makes a prefix.
        let settings = settings().into_iter().filter(|(_, options)| options.masquerade_bit < 31);
        let mut rulesets: Vec<Ruleset> =
            settings.map(|(environment, options)| render(&small, &environment, &options)).collect();
        rulesets.push(rendered(&mixed_services(SERVICES)));
        for ruleset in rulesets {
            let printed = Namespace::new("loaded").unwrap().run(|| {
                nft.load(&NftText::parse(&ruleset.to_string()));
                comparable(&nft.list_json())
            });
            let rendered = comparable(&ruleset.json().unwrap());
            for (ours, theirs) in rendered.iter().zip(&printed) {
                assert_eq!(ours, theirs);
            }
            assert_eq!(rendered.len(), printed.len());
        }
    });
}

#[test]
fn whatever_people_do_to_the_table_with_nft_is_undone() {
    namespaced("whatever_people_do_to_the_table_with_nft_is_undone", || {
        let plans = mixed_services(100);
        let edits = [
            "add rule ip portolan services tcp dport { 80, 443 } drop",
            "add rule ip portolan services tcp dport vmap { 80 : drop, 443 : accept }",
            "add rule ip portolan services tcp dport 80 jump { ip saddr 9.9.9.9 drop; }",
            "add chain ip portolan other\nadd rule ip portolan other tcp dport { 80, 443 } drop",
            "add element ip portolan services { * : drop }",
            "add element ip6 portolan endpoints { * : fd00::1 . 80 }",
            "add table ip portolan { flags dormant; }",
            "add set ip portolan theirs { type ipv4_addr; flags interval; }",
            "flush chain ip portolan nat-postrouting",
            "delete table ip6 portolan",
        ];
        let nft = Nft::of_version([1, 0, 6]);
        Namespace::new("edited").unwrap().run(|| {
            converge(&plans);
            let before = sorted_listing(&nft);
            for edit in edits {
                nft.edit(edit);
                assert_ne!(converge(&plans), SyncReport::default(), "{edit}");
                assert_eq!(sorted_listing(&nft), before, "{edit}");
                assert_eq!(converge(&plans), SyncReport::default(), "{edit}");
            }
        });
    });
}

#[test]
fn a_set_that_people_made_again_with_a_statement_is_made_again_without() {
    let name = "a_set_that_people_made_again_with_a_statement_is_made_again_without";
    namespaced(name, || {
        let plans = common::one_of_each();
        let nft = Nft::of_version([1, 0, 6]);
        for set in ["set cluster-ips {", "map endpoints {", "map services {"] {
            Namespace::new("edited").unwrap().run(|| {
                let counting = rendered(&plans).to_string();
                let counting = counting.replacen(set, &format!("{set}\n\t\tcounter"), 1);
                nft.load(&NftText::parse(&counting));
                assert_ne!(converge(&plans), SyncReport::default(), "{set}");
                assert_eq!(converge(&plans), SyncReport::default(), "{set}");
                assert!(!nft.list_json().to_string().contains("counter"), "{set}");
            });
        }
    });
}

/// All that is listed, whatever the order of chains and elements.
fn sorted_listing(nft: &Nft) -> (Vec<String>, Vec<String>) {
    let listing = nft.list();
    let owned = |lines: Vec<&str>| lines.into_iter().map(str::to_owned).collect();
    (owned(sorted(listing.headings())), owned(sorted(listing.comments())))
}
