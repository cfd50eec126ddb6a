//! One who connects and asks, and the times that it takes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Rounds in one namespace before the other has its turn.
pub(super) const BLOCK: u32 = 100;
/// Rounds at the start of a block that do not count: they resolve neighbours, fill caches.
const WARM_UP: u32 = 20;
/// How long an answer may take; one that is lost ends the run.
const ANSWER: Duration = Duration::from_secs(5);
/// Clients that keep a server busy, and for how long: some thousands of ports, which are few
/// enough not to be used twice.
const CLIENTS: usize = 4;
const BUSY: Duration = Duration::from_millis(150);

/// What a client does, and how long it took.
pub(super) type Act = fn(SocketAddr) -> io::Result<Duration>;

/// Times of one block, for each address.
pub(super) type Times<const N: usize> = [Vec<Duration>; N];

/// Acts on each address in turn. Each comes first as often as the others, because what
/// follows finds warmer caches.
pub(super) fn block<const N: usize>(act: Act, addresses: [SocketAddr; N]) -> io::Result<Times<N>> {
    let mut times: Times<N> = std::array::from_fn(|_| Vec::new());
    for round in 0..WARM_UP + BLOCK {
        let mut kinds: Vec<_> = times.iter_mut().zip(addresses).collect();
        kinds.rotate_left(round as usize % N);
        for (times, address) in kinds {
            let time = act(address).map_err(|error| at(address, &error))?;
            if round >= WARM_UP {
                times.push(time);
            }
        }
    }
    Ok(times)
}

/// How often per second several clients at once are done with an act and begin the next, by
/// the clock on the wall.
pub(super) fn rate(act: Act, address: SocketAddr) -> io::Result<f64> {
    let begin = Instant::now();
    let done = std::thread::scope(|scope| {
        let client = || {
            let mut done: u32 = 0;
            while begin.elapsed() < BUSY {
                act(address)?;
                done += 1;
            }
            io::Result::Ok(done)
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| Err(io::Error::other("a panic"))))
            .sum::<io::Result<u32>>()
    });
    let took = begin.elapsed();
    let done = done.map_err(|error| at(address, &error))?;
    Ok(f64::from(done) / took.as_secs_f64())
}

fn at(address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{address}: {error}"))
}

pub(super) fn connect(address: SocketAddr) -> io::Result<Duration> {
    let start = Instant::now();
    let connection = TcpStream::connect_timeout(&address, ANSWER)?;
    let time = start.elapsed();
    drop(connection);
    Ok(time)
}

pub(super) fn ask(address: SocketAddr) -> io::Result<Duration> {
    let start = Instant::now();
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(ANSWER))?;
    socket.connect(address)?;
    socket.send(b"who")?;
    socket.recv(&mut [0; 256])?;
    Ok(start.elapsed())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const ANYONE: [SocketAddr; 2] = [
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1),
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2),
    ];

    #[test]
    fn every_address_of_a_block_has_as_many_times_and_the_first_rounds_have_none() {
        static ACTS: AtomicU32 = AtomicU32::new(0);
        let act = |_| Ok(Duration::from_secs(ACTS.fetch_add(1, Ordering::Relaxed).into()));
        let times = block(act, ANYONE).unwrap();
        assert!(times.iter().all(|times| times.len() == BLOCK as usize));
        assert_eq!(times[0][0], Duration::from_secs((2 * WARM_UP).into()));
        assert_eq!(ACTS.load(Ordering::Relaxed), 2 * (WARM_UP + BLOCK));
    }

    #[test]
    fn who_gets_no_answer_says_whose_it_was() {
        let act = |_| Err(io::ErrorKind::TimedOut.into());
        for error in [block(act, ANYONE).unwrap_err(), rate(act, ANYONE[0]).unwrap_err()] {
            assert!(error.to_string().starts_with("127.0.0.1:1: "), "{error}");
        }
    }

    #[test]
    fn a_rate_counts_what_all_clients_did_by_the_clock_on_the_wall() {
        let act = |_| {
            std::thread::sleep(BUSY * 2);
            Ok(Duration::ZERO)
        };
        // Each is done once, after the time is over.
        let rate = rate(act, ANYONE[0]).unwrap();
        assert!(rate > 0.0 && rate <= CLIENTS as f64 / (BUSY * 2).as_secs_f64(), "{rate}");
    }
}
