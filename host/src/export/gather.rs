//! `sending_queue.batch`: merges queued batches until they are worth a request, splits what is too large.
