//! Raw Ethernet of one interface (packet(7)).
#![expect(
    unsafe_code,
    reason = "the address of a packet socket, its statistics and times have no safe form in std or socket2"
)]

use std::ffi::CString;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::sys;

/// The frames a socket is for, by Ethertype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ethertype {
    Arp = 0x0806,
    Ipv6 = 0x86dd,
    /// All, our own with them.
    All = 0x0003,
    /// Sends only.
    None = 0,
}

/// A socket that sends and receives whole frames.
#[derive(Debug)]
pub(crate) struct Packets(Socket);

impl Packets {
    /// Opens it on the interface; frames wait in it from now on.
    pub(crate) fn open(interface: &str, ethertype: Ethertype) -> io::Result<Self> {
        // Protocol 0: nothing arrives from other interfaces before it is bound to this one.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        sys::set_receive_buffer(&socket, 4 << 20);
        socket.bind(&link_address(interface, ethertype)?)?;
        Ok(Self(socket))
    }

    /// Sends a frame; waits while the queue of the interface is full.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        loop {
            match self.0.send(frame) {
                Ok(_) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => std::thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
    }

    /// The next frame, cut to the buffer; None when there is none within `patience`.
    pub(crate) fn receive<'a>(
        &self,
        buffer: &'a mut [u8],
        patience: Duration,
    ) -> io::Result<Option<&'a [u8]>> {
        self.0.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
        match (&self.0).read(buffer) {
            Ok(length) => Ok(Some(&buffer[..length])),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// When the kernel got the frame that was received last. The first call makes it take notes.
    pub(crate) fn stamp(&self) -> Option<SystemTime> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is valid for writes during the call; the kernel writes a timespec with long fields.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), SIOCGSTAMPNS, &raw mut time) };
        let since = Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?);
        (result == 0).then(|| SystemTime::UNIX_EPOCH + since)
    }

    /// The same socket, for another thread.
    pub(crate) fn another(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Frames the kernel had to drop because nobody read them in time, since the last call.
    pub(crate) fn drops(&self) -> io::Result<u32> {
        let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut length = socklen::<libc::tpacket_stats>();
        // SAFETY: both pointers are valid for writes during the call, and `length` is the size of the first.
        let result = unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut length,
            )
        };
        if result == 0 { Ok(statistics.tp_drops) } else { Err(io::Error::last_os_error()) }
    }
}

fn link_address(interface: &str, ethertype: Ethertype) -> io::Result<SockAddr> {
    let name = CString::new(interface)?;
    // SAFETY: `name` ends with a NUL and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the storage has room for every kind of address, and a sockaddr_ll is written whole.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            storage.cast::<libc::sockaddr_ll>().write(libc::sockaddr_ll {
                sll_family: AF_PACKET,
                sll_protocol: (ethertype as u16).to_be(),
                sll_ifindex: index.cast_signed(),
                sll_hatype: 0,
                sll_pkttype: 0,
                sll_halen: 0,
                sll_addr: [0; 8],
            });
            *length = socklen::<libc::sockaddr_ll>();
            Ok(())
        })
    }?;
    Ok(address)
}

/// linux/sockios.h, SIOCGSTAMPNS_OLD.
const SIOCGSTAMPNS: libc::Ioctl = 0x8907;

/// `libc` has it in another width than the field.
const AF_PACKET: libc::sa_family_t = 17;

fn socklen<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).expect("these are small")
}
