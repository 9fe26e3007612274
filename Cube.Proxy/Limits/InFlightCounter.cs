using Cube.Inference.Errors;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Limits;

/// <summary>
/// Counts requests and bytes that are held now, for the platform, each domain and each caller. A lease is taken from all three or from none.
/// The limiters of System.Threading.RateLimiting count in 32 bits and keep idle partitions; bytes need 64, and an entry here ends with its last lease.
/// </summary>
internal sealed class InFlightCounter(IOptions<InFlightOptions> options)
{
    private readonly InFlightOptions _options = options.Value;
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, Held> _domains = [];
    private readonly Dictionary<Guid, Held> _callers = [];
    private readonly Held _platform = new();
    private long _peak;

    /// <summary>Bytes that are held now.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock)
            {
                return _platform.Bytes;
            }
        }
    }

    /// <summary>The most bytes that were held since the last call.</summary>
    public long TakePeak()
    {
        lock (_lock)
        {
            var peak = _peak;
            _peak = _platform.Bytes;
            return peak;
        }
    }

    /// <summary>Requests that are held now.</summary>
    public int Requests
    {
        get
        {
            lock (_lock)
            {
                return _platform.Requests;
            }
        }
    }

    /// <returns>The refusal; null where the request was counted, and <see cref="EndRequest"/> must follow.</returns>
    public OpenAiError? TryBeginRequest(Guid domain, Guid caller)
    {
        lock (_lock)
        {
            var (ofDomain, ofCaller) = (Find(_domains, domain), Find(_callers, caller));
            if (_platform.Requests >= _options.Requests)
            {
                return OpenAiError.TooBusy;
            }

            if (ofDomain.Requests >= _options.RequestsPerDomain || ofCaller.Requests >= _options.RequestsPerCaller)
            {
                return OpenAiError.TooManyRequests;
            }

            _platform.Requests++;
            ofDomain.Requests++;
            ofCaller.Requests++;
            (_domains[domain], _callers[caller]) = (ofDomain, ofCaller);
            return null;
        }
    }

    public void EndRequest(Guid domain, Guid caller)
    {
        lock (_lock)
        {
            _platform.Requests--;
            Subtract(_domains, domain, requests: 1, bytes: 0);
            Subtract(_callers, caller, requests: 1, bytes: 0);
        }
    }

    /// <returns>The refusal; null where the bytes were counted.</returns>
    public OpenAiError? TryAddBytes(Guid domain, Guid caller, long bytes)
    {
        lock (_lock)
        {
            var (ofDomain, ofCaller) = (Find(_domains, domain), Find(_callers, caller));
            if (ofDomain.Bytes + bytes > _options.BytesPerDomain || ofCaller.Bytes + bytes > _options.BytesPerCaller)
            {
                return OpenAiError.TooManyRequests;
            }

            if (_platform.Bytes + bytes > _options.Bytes)
            {
                return OpenAiError.TooBusy;
            }

            _platform.Bytes += bytes;
            _peak = Math.Max(_peak, _platform.Bytes);
            ofDomain.Bytes += bytes;
            ofCaller.Bytes += bytes;
            (_domains[domain], _callers[caller]) = (ofDomain, ofCaller);
            return null;
        }
    }

    public void ReturnBytes(Guid domain, Guid caller, long bytes)
    {
        lock (_lock)
        {
            _platform.Bytes -= bytes;
            Subtract(_domains, domain, requests: 0, bytes);
            Subtract(_callers, caller, requests: 0, bytes);
        }
    }

    private static Held Find(Dictionary<Guid, Held> all, Guid id) => all.GetValueOrDefault(id) ?? new Held();

    private static void Subtract(Dictionary<Guid, Held> all, Guid id, int requests, long bytes)
    {
        var held = all[id];
        held.Requests -= requests;
        held.Bytes -= bytes;
        if (held is { Requests: 0, Bytes: 0 })
        {
            all.Remove(id);
        }
    }

    private sealed class Held
    {
        public int Requests { get; set; }

        public long Bytes { get; set; }
    }
}
