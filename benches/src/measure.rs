//! What is measured in which order.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socket, sockopt,
};
use portolan_netlink::ipvs::Ipvs;

use crate::arguments::Arguments;
use crate::arms::{ASKED, Arm, Backend, PORTOLAN};
use crate::figures::{Figures, Metric, Recorder, Size};
use crate::observe::Contents;
use crate::progress::Progress;
use crate::report::Report;
use crate::scenarios::Run;
use crate::scenarios::names::{CHURN, OF_EVERY_RUN, OF_PLANS};
use crate::scenarios::plan::{Plan, fits};

/// Any size will do.
const SOME_BYTES: usize = 64 * 1024;

/// Everything that is needed to measure.
struct Measurement<'a> {
    arguments: &'a Arguments,
    arms: Vec<Arm>,
    /// The version of that among them.
    kube_proxy: Option<String>,
    progress: Progress,
    figures: Figures,
}

/// Measures everything, and writes what is measured so far whenever something is done. The
/// process must be in namespaces of its own.
///
/// # Errors
///
/// What cannot be measured like this, could not be measured, or is not as it has to be. The
/// figures of what was measured before are in the file.
pub fn measure(arguments: &Arguments) -> anyhow::Result<Report> {
    arguments.check()?;
    let mut measurement = Measurement {
        arguments,
        arms: arms(arguments)?,
        kube_proxy: arguments.kube_proxy.as_deref().map(version).transpose()?,
        progress: Progress::new(arguments.no_progress),
        figures: Figures::default(),
    };
    measurement.refuse_what_does_not_fit()?;
    // A run of all sizes, then the next one: what grows with the services is compared between
    // figures that were measured one after the other, whatever the machine does meanwhile.
    for run in 0..arguments.runs {
        for services in &arguments.services {
            measurement.measure(run, *services)?;
        }
    }
    let report = measurement.report();
    measurement.has_everything(&report)?;
    Ok(report)
}

impl Measurement<'_> {
    fn refuse_what_does_not_fit(&self) -> anyhow::Result<()> {
        let Some(most) = self.arguments.services.iter().max() else { return Ok(()) };
        if self.arguments.backend == Backend::Nftables && !may_send_anything()? {
            self.progress.say("whether the kernel takes a transaction of this size from this user");
            fits(&self.arguments.load(*most))?;
        }
        Ok(())
    }

    /// One size in one run, with a cluster of its own.
    fn measure(&mut self, run: u32, services: u32) -> anyhow::Result<()> {
        let load = &self.arguments.load(services);
        for arm in &self.arms {
            let (figures, progress) = (&mut self.figures, &self.progress);
            Run { arm, run, load, figures, progress }.measure()?;
            self.report().write(&self.arguments.json)?;
        }
        let (figures, progress) = (&mut self.figures, &self.progress);
        if self.arguments.wants(CHURN) {
            let size = Size { services, endpoints: load.spec.endpoints };
            Recorder { figures: &mut *figures, size, arm: ASKED, run }.record(
                CHURN,
                Metric::Rate,
                load.churn_rate.into(),
            );
        }
        // `cargo xtask vm --bench` does so for IPVS, which has no floor.
        if self.arguments.backend == Backend::Nftables {
            Plan { load, run, figures, progress }.measure()?;
        }
        self.report().write(&self.arguments.json)
    }

    fn report(&self) -> Report {
        let typed = std::env::args().skip(1).collect();
        let transport = self.arguments.transport();
        let seconds = self.progress.elapsed_seconds();
        let report = Report::new(&self.figures, transport, typed, seconds);
        report.beside(self.kube_proxy.clone())
    }

    /// A scenario without a figure is a fault of the harness or of what it measures.
    fn has_everything(&self, report: &Report) -> anyhow::Result<()> {
        let arguments = self.arguments;
        let of_arms = self.arms.iter().flat_map(|arm| OF_EVERY_RUN.map(|it| (arm.name, it)));
        let of_plans = OF_PLANS.map(|scenario| (PORTOLAN, scenario)).into_iter();
        let of_plans = of_plans.filter(|_| arguments.backend == Backend::Nftables);
        for (arm, scenario) in of_arms.chain(of_plans).filter(|(_, it)| arguments.wants(it)) {
            for services in &arguments.services {
                let size = Size { services: *services, endpoints: arguments.endpoints };
                let has = report.has(size, arm, scenario);
                ensure!(has, "{scenario:?} gave no figure of {arm} at {services} services");
            }
        }
        Ok(())
    }
}

/// Whether this process may raise the size of a send buffer above `net.core.wmem_max`.
fn may_send_anything() -> anyhow::Result<bool> {
    let (family, kind) = (AddressFamily::Netlink, SockType::Raw);
    let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkNetFilter)?;
    Ok(setsockopt(&socket, sockopt::SndBufForce, &SOME_BYTES).is_ok())
}

fn arms(arguments: &Arguments) -> anyhow::Result<Vec<Arm>> {
    let mut arms = vec![Arm::portolan(&agent(arguments)?, arguments.backend)];
    if let Some(program) = &arguments.kube_proxy {
        let (mode, path) = (arguments.kube_proxy_mode, &arguments.kube_proxy_path);
        arms.push(Arm::kube_proxy(program, mode, path, &arguments.kube_proxy_flag));
    }
    if arms.iter().any(|arm| arm.contents == Contents::VirtualServers) {
        has_ipvs()?;
    }
    Ok(arms)
}

/// What a kube-proxy says of itself: `Kubernetes v1.36.2`.
fn version(program: &Path) -> anyhow::Result<String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().next().unwrap_or("of no known version").trim().to_owned())
}

/// Before anything is measured: else the first arm would be waited for in vain.
fn has_ipvs() -> anyhow::Result<()> {
    Ipvs::open()
        .and_then(|mut ipvs| ipvs.info())
        .context("IPVS cannot be measured here: it takes a kernel that has it, and root")?;
    Ok(())
}

/// The agent: named, or beside this program, where cargo puts both.
fn agent(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    let path = match &arguments.portolan {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("portolan"),
    };
    ensure!(
        path.is_file(),
        "there is no agent {}: build it with `cargo build --release -p portolan`, or name it with \
         --portolan",
        path.display()
    );
    path.canonicalize().context("cannot find the agent")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_kube_proxy_is_asked_for_its_version() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("kube-proxy");
        fs::write(&program, "#!/bin/sh\n[ $1 = --version ] && echo Kubernetes v1.36.2\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(version(&program).unwrap(), "Kubernetes v1.36.2");
        let missing = version(&directory.path().join("none")).unwrap_err();
        assert!(missing.to_string().contains("cannot run"), "{missing}");
    }
}
