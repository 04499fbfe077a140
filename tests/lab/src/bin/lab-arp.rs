//! Sends, answers and asks with raw frames inside a host of the lab's Ethernet: see `lab::arp::agent`.

fn main() -> std::io::Result<()> {
    lab::arp::run(std::env::args().skip(1))
}
