using Cube.Inference.Errors;
using Cube.Proxy.Limits;
using Microsoft.Extensions.Options;

namespace Cube.Tests.Proxy.Limits;

/// <summary>Limits of the memory that concurrent requests use: per caller, per domain and for the platform.</summary>
public sealed class InFlightCounterTests
{
    private static readonly Guid _domain = Guid.NewGuid();
    private static readonly Guid _caller = Guid.NewGuid();

    private static InFlightCounter Budget(InFlightOptions options) => new(Options.Create(options));

    [Fact]
    public void Excess_requests_of_a_caller_or_domain_are_429_and_of_the_platform_503()
    {
        var budget = Budget(new InFlightOptions { Requests = 4, RequestsPerDomain = 3, RequestsPerCaller = 2 });
        Assert.Null(budget.TryBeginRequest(_domain, _caller));
        Assert.Null(budget.TryBeginRequest(_domain, _caller));
        Assert.Equal((429, "rate_limit_exceeded"), (budget.TryBeginRequest(_domain, _caller)?.Status, budget.TryBeginRequest(_domain, _caller)?.Code));
        Assert.Null(budget.TryBeginRequest(_domain, Guid.NewGuid()));
        Assert.Equal(429, budget.TryBeginRequest(_domain, Guid.NewGuid())?.Status);
        Assert.Null(budget.TryBeginRequest(Guid.NewGuid(), Guid.NewGuid()));
        Assert.Equal((503, "overloaded"), (budget.TryBeginRequest(Guid.NewGuid(), Guid.NewGuid())?.Status, budget.TryBeginRequest(Guid.NewGuid(), Guid.NewGuid())?.Code));

        budget.EndRequest(_domain, _caller);
        Assert.Null(budget.TryBeginRequest(_domain, _caller));
    }

    [Fact]
    public void Body_bytes_are_limited_per_caller_domain_and_platform_and_released_once()
    {
        var budget = Budget(new InFlightOptions { Bytes = 100, BytesPerDomain = 80, BytesPerCaller = 60 });
        var lease = new BodyLease(budget, _domain, _caller);
        lease.Add(60);
        Assert.Equal(429, Assert.Throws<RequestRejectedException>(() => lease.Add(1)).Error.Status);
        Assert.Equal(429, Assert.Throws<RequestRejectedException>(() => new BodyLease(budget, _domain, Guid.NewGuid()).Add(21)).Error.Status);
        var other = new BodyLease(budget, Guid.NewGuid(), Guid.NewGuid());
        other.Add(40);
        Assert.Equal(503, Assert.Throws<RequestRejectedException>(() => new BodyLease(budget, Guid.NewGuid(), Guid.NewGuid()).Add(1)).Error.Status);
        lease.Dispose();
        lease.Dispose();
        Assert.Equal((40, 100), (budget.Bytes, budget.TakePeak()));
        other.Dispose();
        Assert.Equal(0, budget.Bytes);
    }
}
