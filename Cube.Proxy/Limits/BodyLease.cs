using Cube.Inference.Errors;

namespace Cube.Proxy.Limits;

/// <summary>The memory for the body of one request: the bytes that count against the limits, and the objects that own the memory.</summary>
internal sealed class BodyLease(InFlightCounter inFlight, Guid domain, Guid caller) : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private long _bytes;

    /// <exception cref="RequestRejectedException">The bytes exceed a limit.</exception>
    public void Add(long bytes)
    {
        if (inFlight.TryAddBytes(domain, caller, bytes) is { } error)
        {
            throw new RequestRejectedException(error);
        }

        Interlocked.Add(ref _bytes, bytes);
    }

    /// <summary>Registers an object that is disposed when the lease is released.</summary>
    public void Own(IDisposable memory) => _owned.Add(memory);

    /// <summary>Disposes the registered objects and returns the bytes. The lease can be used again.</summary>
    public void Release()
    {
        for (var i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }

        _owned.Clear();
        if (Interlocked.Exchange(ref _bytes, 0) is > 0 and var bytes)
        {
            inFlight.ReturnBytes(domain, caller, bytes);
        }
    }

    public void Dispose() => Release();
}
