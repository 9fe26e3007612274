using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Limits;

/// <summary>The section <c>Backend</c>: the limits of this proxy for the requests to one target of a route.</summary>
internal sealed class BackendLimitOptions
{
    public const string Section = "Backend";

    /// <summary>Maximum number of concurrent requests to one target, 1 to 1,000,000. Further requests wait. A stream counts until it ends.</summary>
    [SettingRange("Backend__MaxConcurrentRequests", 1, 1_000_000)]
    public int MaxConcurrentRequests { get; set; } = 16_000;

    /// <summary>Maximum number of requests that wait for one target, 0 to 100,000. Further requests are rejected with 503.</summary>
    [SettingRange("Backend__MaxWaitingRequests", 0, 100_000)]
    public int MaxWaitingRequests { get; set; } = 2_000;

    /// <summary>Maximum number of requests of one domain that wait for one target, 0 to 100,000. Further requests of the domain are rejected with 429.</summary>
    [SettingRange("Backend__MaxWaitingRequestsPerDomain", 0, 100_000)]
    public int MaxWaitingRequestsPerDomain { get; set; } = 500;

    /// <summary>Maximum time that a request waits, 100 milliseconds to 10 minutes. Then it is rejected with 503.</summary>
    [SettingRange("Backend__WaitTimeout", "00:00:00.1", "00:10:00")]
    public TimeSpan WaitTimeout { get; set; } = TimeSpan.FromSeconds(30);
}

[OptionsValidator]
internal sealed partial class BackendLimitOptionsValidator : IValidateOptions<BackendLimitOptions>;
