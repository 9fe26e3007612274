using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using System.Threading.RateLimiting;
using Cube.Agent.Evidence.Providers;
using Cube.Attestation.Atls;
using Cube.Attestation.Evidence;
using Microsoft.Extensions.Options;

namespace Cube.Agent.Evidence;

/// <summary>
/// Serializes access to the attestation device: one request at a time, with a rate limit and a bounded queue.
/// Requests of <c>POST /attestation</c> have a separate limit of a quarter of the rate and queue, and only one of them
/// waits for the device at a time, so that they do not delay handshakes.
/// </summary>
internal sealed class EvidenceQueue : IDisposable
{
    private const int CallersShare = 4;
    private readonly EvidenceProvider _provider;
    private readonly SemaphoreSlim _device = new(1);
    private readonly SemaphoreSlim _caller = new(1);
    private readonly TokenBucketRateLimiter _rate;
    private readonly TokenBucketRateLimiter _callers;
    private readonly Histogram<double> _duration;

    public EvidenceQueue(EvidenceProvider provider, IOptions<AttestationOptions> options, IMeterFactory meters)
    {
        _provider = provider;
        _rate = new TokenBucketRateLimiter(new TokenBucketRateLimiterOptions
        {
            TokenLimit = options.Value.PerSecond,
            TokensPerPeriod = Math.Max(1, options.Value.PerSecond / 10),
            ReplenishmentPeriod = TimeSpan.FromSeconds(options.Value.PerSecond >= 10 ? 0.1 : 1.0 / options.Value.PerSecond),
            QueueLimit = options.Value.Waiting,
            AutoReplenishment = true,
        });
        _callers = new TokenBucketRateLimiter(new TokenBucketRateLimiterOptions
        {
            TokenLimit = Math.Max(1, options.Value.PerSecond / CallersShare),
            TokensPerPeriod = 1,
            ReplenishmentPeriod = TimeSpan.FromSeconds((double)CallersShare / options.Value.PerSecond),
            QueueLimit = Math.Max(1, options.Value.Waiting / CallersShare),
            AutoReplenishment = true,
        });
        _duration = meters.Create("Cube.Agent").CreateHistogram<double>("cube.agent.evidence.duration", "s", "Time to generate one piece of evidence, including the time in the queue.");
    }

    public string Type => _provider.Type;

    /// <summary>For attested TLS: the hardware report contains the binder, a TPM quote its SHA-256.</summary>
    public ValueTask<EvidenceDocument> MakeForConnectionAsync(ReadOnlyMemory<byte> binder, CancellationToken ct) =>
        MakeAsync(new EvidenceRequest(binder.ToArray(), SHA256.HashData(binder.Span)), ct);

    /// <summary>For a caller of <c>POST /attestation</c>.</summary>
    /// <exception cref="EvidenceUnavailableException">The device returned an error, or the limit for callers is exceeded.</exception>
    public async ValueTask<EvidenceDocument> MakeForCallerAsync(EvidenceRequest request, CancellationToken ct)
    {
        using var lease = await _callers.AcquireAsync(1, ct);
        if (!lease.IsAcquired)
        {
            throw new EvidenceUnavailableException("The limit of evidence requests by callers is exceeded.");
        }

        await _caller.WaitAsync(ct);
        try
        {
            return await MakeAsync(request, ct);
        }
        finally
        {
            _caller.Release();
        }
    }

    /// <exception cref="EvidenceUnavailableException">The device returned an error, or the limit is exceeded.</exception>
    private async ValueTask<EvidenceDocument> MakeAsync(EvidenceRequest request, CancellationToken ct)
    {
        var start = Stopwatch.GetTimestamp();
        var outcome = "failed";
        try
        {
            using var lease = await _rate.AcquireAsync(1, ct);
            if (!lease.IsAcquired)
            {
                outcome = "refused";
                throw new EvidenceUnavailableException("The limit of evidence requests is exceeded.");
            }

            await _device.WaitAsync(ct);
            try
            {
                var evidence = await _provider.MakeAsync(request, ct);
                outcome = "made";
                return evidence;
            }
            finally
            {
                _device.Release();
            }
        }
        finally
        {
            _duration.Record(Stopwatch.GetElapsedTime(start).TotalSeconds, new("cube.attestation.type", _provider.Type), new("outcome", outcome));
        }
    }

    public void Dispose()
    {
        _callers.Dispose();
        _caller.Dispose();
        _rate.Dispose();
        _device.Dispose();
    }
}
