using Cube.Inference.Errors;

namespace Cube.Proxy.Limits;

/// <summary>The memory that one request's body holds: its bytes in the limits for bodies in flight, and the objects that use it.</summary>
internal sealed class BodyLease(InFlightCounter inFlight, Guid domain, Guid caller) : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private long _bytes;

    /// <exception cref="RequestRejectedException">A limit has no room for the bytes.</exception>
    public void Add(long bytes)
    {
        if (inFlight.TryAddBytes(domain, caller, bytes) is { } error)
        {
            throw new RequestRejectedException(error);
        }

        Interlocked.Add(ref _bytes, bytes);
    }

    /// <summary>Disposes the object with the lease.</summary>
    public void Own(IDisposable memory) => _owned.Add(memory);

    /// <summary>Returns the memory. The lease can be used again.</summary>
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
