using Cube.Inference.Errors;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Limits;

/// <summary>
/// Counts concurrent requests and the bytes of their bodies, for the platform, each domain and each caller. A request or its bytes are added to all three counters or to none.
/// The limiters of System.Threading.RateLimiting are not used: they count with 32 bits, and they keep partitions that are not in use.
/// </summary>
internal sealed class InFlightCounter(IOptions<InFlightOptions> options)
{
    private readonly InFlightOptions _options = options.Value;
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, InFlightUsage> _domains = [];
    private readonly Dictionary<Guid, InFlightUsage> _callers = [];
    private readonly InFlightUsage _platform = new();
    private long _peak;

    /// <summary>The bytes in use by all requests.</summary>
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

    /// <summary>Gets and resets the maximum of <see cref="Bytes"/> since the last call.</summary>
    public long TakePeak()
    {
        lock (_lock)
        {
            var peak = _peak;
            _peak = _platform.Bytes;
            return peak;
        }
    }

    /// <summary>The number of concurrent requests.</summary>
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

    /// <returns>The error if a limit is reached; null if the request was counted. Then the caller must call <see cref="EndRequest"/>.</returns>
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

    /// <returns>The error if a limit is exceeded; null if the bytes were counted. Then the caller must call <see cref="ReturnBytes"/>.</returns>
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

    private static InFlightUsage Find(Dictionary<Guid, InFlightUsage> all, Guid id) => all.GetValueOrDefault(id) ?? new InFlightUsage();

    private static void Subtract(Dictionary<Guid, InFlightUsage> all, Guid id, int requests, long bytes)
    {
        var usage = all[id];
        usage.Requests -= requests;
        usage.Bytes -= bytes;
        if (usage is { Requests: 0, Bytes: 0 })
        {
            all.Remove(id);
        }
    }

    private sealed class InFlightUsage
    {
        public int Requests { get; set; }

        public long Bytes { get; set; }
    }
}
