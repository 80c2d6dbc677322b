/* The ring of a vchan, one direction: who wakes whom, and the end. As vchan/ring.c and
 * vchan/carrier.c do it: wishes and the second look, short reads that sleep at once, parts of
 * writes, looking again without a wish (whenever it likes), late bells for room, the close race,
 * and a bell that must be acknowledged before it can ring again.
 *
 * Checked: nobody sleeps for ever (no invalid end state), and all that was written before the close
 * has been read when the reader believes in the end (assertions).
 *
 * Each statement is one step, and each has one access to shared memory. The stores whose order with
 * a later load matters are those of indices: a processor may keep them back in a buffer until the
 * next barrier, which is modelled by `prod_kept` and `cons_kept`. With the barrier they are seen at
 * once.
 *
 * What must be found faulty, one at a time:
 *   WITHOUT_BARRIER      indices are stored without one
 *   WITHOUT_SECOND_LOOK  the wish is set after the last look at the ring
 *   END_AT_ONCE          a live byte that is cleared is the end, whatever the ring has
 *   BELL_AT_HALF_ONLY    room is told of only when exactly half of the ring is free
 *   ACKNOWLEDGE_WISHES   the bell is acknowledged only if a wish was set since the last time
 *   TAKEN_AWAY           an event that the other direction has taken is not told
 *   END_BEFORE_BELL      the live byte is looked at before the bell is acknowledged
 *   SHORT_MEANS_OPEN     a short read sleeps, without a look whether the peer is closed */

#ifndef SIZE
#define SIZE 2
#endif
#define HALF (SIZE / 2)
#ifndef BYTES
#define BYTES 5
#endif

/* The page. */
byte prod, cons;
bool tell_written, tell_consumed;
bool live = true; /* the writer's */

/* Stores that are still kept back. */
byte prod_kept, cons_kept;
bool prod_late, cons_late;

/* The bells of the reader (0) and the writer (1), as event channels are: one that has rung is
 * masked, and rings once more if it was rung meanwhile as soon as it is unmasked. A bell that is
 * never masked (a socket) is a simpler case: MASKS 0. */
#ifndef MASKS
#define MASKS 1
#endif
bool event[2], masked[2], again[2], unread[2], wished[2];

inline ring(who)
{
    atomic {
        if
        :: masked[who] -> again[who] = true
        :: else -> event[who] = true; unread[who] = true; masked[who] = MASKS
        fi
    }
}

/* Before a look that may end in sleep: takes the event, told or not, and unmasks. */
inline acknowledge(who)
{
    atomic {
#ifdef ACKNOWLEDGE_WISHES
        if
        :: wished[who] ->
#endif
            wished[who] = false;
            if
            :: unread[who] ->
                unread[who] = false;
                event[who] = false;
                masked[who] = false;
                if
                :: again[who] ->
                    again[who] = false;
                    event[who] = true;
                    unread[who] = true;
                    masked[who] = MASKS
                :: else
                fi
            :: else
            fi
#ifdef ACKNOWLEDGE_WISHES
        :: else
        fi
#endif
    }
}

/* The event is told once, here or in a turn in which nobody sleeps; what is unread stays so. The
 * other direction of the flow has the same bell: before a look of its own it may take the event
 * away, and then this one is looked at too. */
inline sleep(who)
{
    if
    :: other = true
    :: other = false
    fi;
    do
    :: atomic { event[who] -> event[who] = false; break }
    :: other && unread[who] ->
        acknowledge(who);
        other = false;
#ifndef TAKEN_AWAY
        break
#endif
    od;
    other = false
}

#ifdef WITHOUT_BARRIER
#define STORE(index, value) index##_kept = value; index##_late = true
#define BARRIER(index)                                  \
    if                                                  \
    :: index##_late -> index = index##_kept; index##_late = false \
    :: else                                             \
    fi
#else
#define STORE(index, value) index = value
#define BARRIER(index) skip
#endif

/* Operations on notify bytes are barriers, and so are system calls. */
#define WISH(bit, index) atomic { BARRIER(index); bit = true }
#define TAKE(bit, index) atomic { BARRIER(index); bit = false }

active proctype reader()
{
    byte mine, seen, want, n;
    bool sleepy, closed, other;

look:
#ifdef END_BEFORE_BELL
    closed = !live;
#endif
    if
    :: sleepy = true; acknowledge(0)
    :: sleepy = false; event[0] = false
    fi;
    if
    :: want = 1
    :: want = SIZE
    :: want = SIZE + 1 /* more than there can be: a short read */
    fi;
    seen = prod - mine;
    if
    :: sleepy && seen < want ->
#ifdef WITHOUT_SECOND_LOOK
        WISH(tell_written, cons);
#else
        WISH(tell_written, cons);
        seen = prod - mine;
#endif
        wished[0] = true
    :: else
    fi;
    if
    :: seen == 0 ->
#ifndef END_BEFORE_BELL
        closed = !live;
#endif
        if
        :: closed ->
#ifndef END_AT_ONCE
            seen = prod - mine;
#endif
            if
            :: seen == 0 -> goto end
            :: else
            fi
        :: !closed && sleepy -> sleep(0); goto look
        :: else -> goto look /* it lingers */
        fi
    :: else
    fi;

    assert(seen <= SIZE);
    n = (seen < want -> seen : want);
    mine = mine + n;
    atomic { STORE(cons, mine) };
    if
#ifdef BELL_AT_HALF_ONLY
    :: seen - n == HALF ->
#else
    :: seen - n <= HALF ->
#endif
        if
        :: tell_consumed ->
            TAKE(tell_consumed, cons);
            ring(1)
        :: else
        fi
    :: else
    fi;
    if
    :: sleepy && n < want ->
#ifdef SHORT_MEANS_OPEN
        closed = false;
#else
        closed = !live;
#endif
        if
        :: closed
        :: else -> sleep(0)
        fi
    :: else
    fi;
    n = 0; seen = 0; want = 0; closed = false;
    goto look;

end:
    assert(mine == BYTES)
}

active proctype writer()
{
    byte mine, seen, want, n;
    bool sleepy, other;

    do
    :: mine < BYTES ->
        if
        :: want = 1
        :: want = BYTES - mine
        fi;
        do
        :: want == 0 -> break
        :: else ->
            if
            :: sleepy = true; acknowledge(1)
            :: sleepy = false; event[1] = false
            fi;
            seen = SIZE - (mine - cons);
            if
            :: sleepy && seen < want ->
                WISH(tell_consumed, prod);
#ifndef WITHOUT_SECOND_LOOK
                seen = SIZE - (mine - cons);
#endif
                wished[1] = true
            :: else
            fi;
            if
            :: seen == 0 && sleepy -> sleep(1)
            :: seen == 0 && !sleepy
            :: else ->
                n = (seen < want -> seen : want);
                mine = mine + n;
                want = want - n;
                atomic { STORE(prod, mine) };
                if
                :: tell_written ->
                    TAKE(tell_written, prod);
                    ring(0)
                :: else
                fi
            fi;
            n = 0; seen = 0
        od
    :: else -> break
    od;
    /* It closes at once, or when the peer has taken all: nothing but the bell for bytes wakes
     * that. */
    if
    :: true
    :: cons == BYTES
    fi;
    atomic { BARRIER(prod); live = false };
    ring(0)
}

#ifdef WITHOUT_BARRIER
/* What is kept back is seen at last, at any time. */
active proctype memory()
{
end_idle:
    do
    :: atomic { prod_late -> prod = prod_kept; prod_late = false }
    :: atomic { cons_late -> cons = cons_kept; cons_late = false }
    od
}
#endif
