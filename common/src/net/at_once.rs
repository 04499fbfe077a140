//! Several conversations at a time.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::error::{ProbeError, cause};

/// Room for a TLS handshake in a build without optimisation.
const STACK: usize = 512 * 1024;

/// Does the work for each of these items, at most `most` at a time, and waits for all of them.
/// The results come in the order of the items. A single item is no reason for a thread.
pub fn at_once<T, R, W>(items: &[T], most: usize, work: W) -> Result<Vec<R>, ProbeError>
where
    T: Sync,
    R: Send,
    W: Fn(usize, &T) -> R + Sync,
{
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    let labour = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            let result = work(at, item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    if items.len() < 2 || most < 2 {
        labour();
    } else {
        thread::scope(|scope| -> Result<(), ProbeError> {
            for _ in 0..items.len().min(most) {
                thread::Builder::new().stack_size(STACK).spawn_scoped(scope, labour).map_err(|error| {
                    // Who works already need not go on.
                    next.store(items.len(), Ordering::Relaxed);
                    ProbeError::local(format!("cannot start a thread: {}", cause(&error)))
                })?;
            }
            Ok(())
        })?;
    }
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn results_keep_the_order_and_the_limit() {
        let (working, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let items: Vec<u64> = (0..12).collect();
        let results = at_once(&items, 4, |at, item| {
            let now = working.fetch_add(1, Ordering::SeqCst) + 1;
            peak.fetch_max(now, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(12 - item));
            working.fetch_sub(1, Ordering::SeqCst);
            (at, *item)
        });
        let want: Vec<(usize, u64)> =
            items.iter().map(|item| (usize::try_from(*item).unwrap(), *item)).collect();
        assert_eq!(results.unwrap(), want);
        assert!((2..=4).contains(&peak.load(Ordering::SeqCst)), "{peak:?}");
    }

    #[test]
    fn a_slow_one_holds_nobody_up() {
        let (sender, receiver) = mpsc::channel();
        let receiver = Mutex::new(receiver);
        let results = at_once(&[0, 1, 2, 3, 4, 5], 2, |_, item| {
            if *item > 0 {
                sender.clone().send(*item).unwrap();
                return Vec::new();
            }
            // It ends when all the others have ended.
            let others = receiver.lock().unwrap();
            (1..=5).map(|_| others.recv_timeout(Duration::from_secs(10)).unwrap()).collect()
        });
        assert_eq!(results.unwrap().concat(), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn one_or_none_needs_no_thread() {
        let here = thread::current().id();
        assert_eq!(at_once(&[7], 9, |_, _| thread::current().id()).unwrap(), [here]);
        assert!(at_once(&[] as &[u8], 9, |_, item| *item).unwrap().is_empty());
    }
}
