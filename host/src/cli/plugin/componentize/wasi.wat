;; What a core module gets that was compiled for WASI preview 1, as Go's compiler does: the closed world of a plugin, in
;; terms of the `host` interface of the contract. There are no arguments, no environment and no files; clocks and random
;; numbers work; what is printed becomes lines of the log; waiting returns at once; to exit is to trap.
;;
;; Why not the adapter of wasmtime: it takes a page of memory with `memory.grow` behind the back of Go's runtime, which
;; believes that it alone grows its memory and later gives the same page to its heap. This one owns no memory, and the
;; component imports nothing but the contract.
;;
;; While the host asks the guest for memory (`cabi_realloc`), the component model lets no call out: it would be a trap. Go's
;; runtime however looks at the clock whenever it likes. So the Go SDK says with `tailrace_may_call` when calls are possible; in
;; the meantime the clock stands still and nothing is printed. Who never says anything may always call.
;;
;; `{scratch}` and `{scratch_len}` are filled in by `componentize`: bytes of the guest's memory that nothing else uses,
;; in which a line is put together from the pieces that are printed. Without them (0) each piece is a line.
(module
  (import "env" "memory" (memory 0))
  (import "tailrace:plugin/host@0.1.0" "log" (func $log (param i32 i32 i32)))
  (import "tailrace:plugin/host@0.1.0" "now" (func $now (result i64)))
  (import "tailrace:plugin/host@0.1.0" "random" (func $random (result i64)))

  (global $may_call (mut i32) (i32.const 1))
  (global $time (mut i64) (i64.const 0))
  (global $bits (mut i64) (i64.const 0x9e3779b97f4a7c15))

  (func (export "tailrace_may_call") (param i32) (global.set $may_call (local.get 0)))

  ;; Never goes back.
  (func $clock (result i64)
    (local $now i64)
    (if (global.get $may_call) (then
      (local.set $now (call $now))
      (if (i64.gt_u (local.get $now) (global.get $time)) (then (global.set $time (local.get $now))))))
    (global.get $time))

  ;; The host's random bits, or some that follow from the last ones.
  (func $dice (result i64)
    (if (global.get $may_call)
      (then (global.set $bits (i64.or (call $random) (i64.const 1))))
      (else
        (global.set $bits (i64.xor (global.get $bits) (i64.shl (global.get $bits) (i64.const 13))))
        (global.set $bits (i64.xor (global.get $bits) (i64.shr_u (global.get $bits) (i64.const 7))))
        (global.set $bits (i64.xor (global.get $bits) (i64.shl (global.get $bits) (i64.const 17))))))
    (global.get $bits))

  (global $line_len (mut i32) (i32.const 0))

  ;; Ends the line that is being put together. Level: 2 info, 4 error.
  (func $end_line (param $fd i32)
    (if (i32.and (global.get $may_call) (i32.ne (global.get $line_len) (i32.const 0))) (then
      (call $log (select (i32.const 4) (i32.const 2) (i32.eq (local.get $fd) (i32.const 2)))
        (i32.const {scratch}) (global.get $line_len))
      (global.set $line_len (i32.const 0)))))

  (func $print (param $fd i32) (param $at i32) (param $len i32)
    (local $byte i32)
    (if (i32.eqz (global.get $may_call)) (then (return)))
    (if (i32.eqz (i32.const {scratch_len})) (then
      (local.set $byte (i32.load8_u (i32.sub (i32.add (local.get $at) (local.get $len)) (i32.const 1))))
      (local.set $len (i32.sub (local.get $len) (i32.eq (local.get $byte) (i32.const 10))))
      (if (i32.eqz (local.get $len)) (then (return)))
      (call $log (select (i32.const 4) (i32.const 2) (i32.eq (local.get $fd) (i32.const 2)))
        (local.get $at) (local.get $len))
      (return)))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $len)))
      (local.set $byte (i32.load8_u (local.get $at)))
      (if (i32.eq (local.get $byte) (i32.const 10))
        (then (call $end_line (local.get $fd)))
        (else
          (if (i32.eq (global.get $line_len) (i32.const {scratch_len})) (then (call $end_line (local.get $fd))))
          (i32.store8 (i32.add (i32.const {scratch}) (global.get $line_len)) (local.get $byte))
          (global.set $line_len (i32.add (global.get $line_len) (i32.const 1)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $len (i32.sub (local.get $len) (i32.const 1)))
      (br $next))))

  (func (export "fd_write") (param $fd i32) (param $vectors i32) (param $count i32) (param $written i32) (result i32)
    (local $sum i32) (local $len i32)
    (if (i32.gt_u (i32.sub (local.get $fd) (i32.const 1)) (i32.const 1)) (then (return (i32.const 8))))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $count)))
      (local.set $len (i32.load offset=4 (local.get $vectors)))
      (if (local.get $len) (then (call $print (local.get $fd) (i32.load (local.get $vectors)) (local.get $len))))
      (local.set $sum (i32.add (local.get $sum) (local.get $len)))
      (local.set $vectors (i32.add (local.get $vectors) (i32.const 8)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $next)))
    (i32.store (local.get $written) (local.get $sum))
    (i32.const 0))

  (func $none_of_both (param i32 i32) (result i32)
    (i32.store (local.get 0) (i32.const 0))
    (i32.store (local.get 1) (i32.const 0))
    (i32.const 0))
  (func $nothing_of_both (param i32 i32) (result i32) (i32.const 0))
  (export "args_sizes_get" (func $none_of_both))
  (export "args_get" (func $nothing_of_both))
  (export "environ_sizes_get" (func $none_of_both))
  (export "environ_get" (func $nothing_of_both))

  (func (export "clock_res_get") (param i32 i32) (result i32)
    (i64.store (local.get 1) (i64.const 1000))
    (i32.const 0))
  (func (export "clock_time_get") (param i32 i64 i32) (result i32)
    (i64.store (local.get 2) (call $clock))
    (i32.const 0))

  (func (export "random_get") (param $at i32) (param $len i32) (result i32)
    (local $bits i64) (local $left i32)
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $len)))
      (if (i32.eqz (local.get $left)) (then
        (local.set $bits (call $dice))
        (local.set $left (i32.const 8))))
      (i64.store8 (local.get $at) (local.get $bits))
      (local.set $bits (i64.shr_u (local.get $bits) (i64.const 8)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $len (i32.sub (local.get $len) (i32.const 1)))
      (br $next)))
    (i32.const 0))

  ;; Every clock that is waited for has rung: the guest looks at the time again. A guest that sleeps thus burns its time
  ;; limit; a plugin has no business sleeping.
  (func (export "poll_oneoff") (param $subscriptions i32) (param $events i32) (param $count i32) (param $rung i32) (result i32)
    (local $sum i32)
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $count)))
      (if (i32.eqz (i32.load8_u offset=8 (local.get $subscriptions))) (then
        (i64.store (local.get $events) (i64.load (local.get $subscriptions)))
        (i64.store offset=8 (local.get $events) (i64.const 0))
        (i64.store offset=16 (local.get $events) (i64.const 0))
        (i64.store offset=24 (local.get $events) (i64.const 0))
        (local.set $events (i32.add (local.get $events) (i32.const 32)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 1)))))
      (local.set $subscriptions (i32.add (local.get $subscriptions) (i32.const 48)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $next)))
    (i32.store (local.get $rung) (local.get $sum))
    (i32.const 0))
  (func (export "sched_yield") (result i32) (i32.const 0))
  (func (export "proc_exit") (param i32) (call $end_line (i32.const 2)) (unreachable))
  (func (export "proc_raise") (param i32) (result i32) (unreachable))

  ;; Standard input is empty, output and error are what `fd_write` says, and there are no other files.
  (func (export "fd_read") (param i32 i32 i32 i32) (result i32)
    (if (local.get 0) (then (return (i32.const 8))))
    (i32.store (local.get 3) (i32.const 0))
    (i32.const 0))
  (func (export "fd_fdstat_get") (param i32 i32) (result i32)
    (if (i32.gt_u (local.get 0) (i32.const 2)) (then (return (i32.const 8))))
    (i64.store (local.get 1) (i64.const 2))
    (i64.store offset=8 (local.get 1) (i64.const 0x42))
    (i64.store offset=16 (local.get 1) (i64.const 0))
    (i32.const 0))
  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32)
    (select (i32.const 8) (i32.const 0) (i32.gt_u (local.get 0) (i32.const 2))))
  (func (export "fd_close") (param i32) (result i32)
    (select (i32.const 8) (i32.const 0) (i32.gt_u (local.get 0) (i32.const 2))))

  ;; All else: 8 (not an open file) for what takes a file, 52 (not supported) for the rest.
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_datasync") (param i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_renumber") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_sync") (param i32) (result i32) (i32.const 8))
  (func (export "fd_tell") (param i32 i32) (result i32) (i32.const 8))
  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 52))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 52))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 52)))
