using System.Collections.Concurrent;
using System.Diagnostics;

namespace Cube.Proxy.Caching;

/// <summary>
/// Caches results for a time that begins with the start of the call. Concurrent requests share one call. Exceptions are not cached. A hit allocates nothing, unlike <c>HybridCache</c>, whose keys are texts.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="age">The age at which a result expires.</param>
internal class ResultCache<TKey>(TimeProvider time, TimeSpan age)
    where TKey : notnull
{
    private const int MaxEntries = 500_000;
    private static readonly TimeSpan _sweepInterval = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<TKey, Entry> _entries = new();
    private long _sweptAt = time.GetTimestamp();

    /// <param name="key">The key of the result.</param>
    /// <param name="state">Passed to <paramref name="call"/>.</param>
    /// <param name="call">Makes the call. It runs outside of the request, in the trace of the first one.</param>
    /// <param name="ct">Ends the wait, not the call: other requests can wait for it.</param>
    public ValueTask<T> GetAsync<TState, T>(TKey key, TState state, Func<TState, CancellationToken, Task<T>> call, CancellationToken ct)
        where T : class
    {
        if (_entries.TryGetValue(key, out var entry) && time.GetElapsedTime(entry.StartedAt) < AgeOf(key, entry.Result))
        {
            return entry.Result is { } result ? new((T)result) : new(WaitAsync<T>(entry, ct));
        }

        SweepSometimes();
        var added = new Entry(time.GetTimestamp());
        var current = _entries.AddOrUpdate(
            key, static (_, args) => args.Added, static (key, old, args) => args.Clock.GetElapsedTime(old.StartedAt) < args.Cache.AgeOf(key, old.Result) ? old : args.Added, (Added: added, Clock: time, Cache: this));
        if (current == added)
        {
            Start(key, added, state, call);
        }

        return new(WaitAsync<T>(current, ct));
    }

    /// <summary>The age at which a result expires now. It can change while the result is cached.</summary>
    /// <param name="key">The key of the result.</param>
    /// <param name="result">The result; null while its call is running.</param>
    protected virtual TimeSpan AgeOf(TKey key, object? result) => age;

    /// <summary>Removes all results, also those of calls that are running.</summary>
    public void Clear() => _entries.Clear();

    /// <summary>Removes the results whose key fulfills the condition, also those of calls that are running.</summary>
    protected void RemoveAll(Predicate<TKey> condition)
    {
        foreach (var pair in _entries)
        {
            if (condition(pair.Key))
            {
                _entries.TryRemove(pair);
            }
        }
    }

    private void Start<TState, T>(TKey key, Entry entry, TState state, Func<TState, CancellationToken, Task<T>> call)
        where T : class
    {
        var activity = Activity.Current;
        using (ExecutionContext.SuppressFlow())
        {
            _ = Task.Run(async () =>
            {
                Activity.Current = activity;
                try
                {
                    entry.Complete(await call(state, CancellationToken.None));
                }
                catch (Exception exception)
                {
                    _entries.TryRemove(new(key, entry));
                    entry.Fail(exception);
                }
            });
        }
    }

    private static async Task<T> WaitAsync<T>(Entry entry, CancellationToken ct)
        where T : class => (T)await entry.Completion.WaitAsync(ct);

    private void SweepSometimes()
    {
        var last = Volatile.Read(ref _sweptAt);
        var isFull = _entries.Count >= MaxEntries;
        if ((isFull || time.GetElapsedTime(last) >= _sweepInterval) && Interlocked.CompareExchange(ref _sweptAt, time.GetTimestamp(), last) == last)
        {
            foreach (var pair in _entries)
            {
                if (time.GetElapsedTime(pair.Value.StartedAt) >= AgeOf(pair.Key, pair.Value.Result))
                {
                    _entries.TryRemove(pair);
                }
            }

            if (_entries.Count >= MaxEntries)
            {
                _entries.Clear();
            }
        }
    }

    private sealed class Entry(long startedAt)
    {
        private readonly TaskCompletionSource<object> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private volatile object? _result;

        public long StartedAt => startedAt;

        /// <summary>Null while the call is running.</summary>
        public object? Result => _result;

        public Task<object> Completion => _completion.Task;

        public void Complete(object result)
        {
            _result = result;
            _completion.SetResult(result);
        }

        public void Fail(Exception exception)
        {
            _completion.SetException(exception);
            // All waiting requests may have been canceled.
            _ = _completion.Task.Exception;
        }
    }
}
