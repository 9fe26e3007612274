using System.ComponentModel.DataAnnotations;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Limits;

/// <summary>The section <c>Proxy:InFlight</c>: the limits for concurrent requests and for the memory of their bodies.</summary>
internal sealed class InFlightOptions
{
    public const string Section = "Proxy:InFlight";

    /// <summary>Maximum number of concurrent requests, 1 to 1,000,000. A stream counts until it ends.</summary>
    [SettingRange("Proxy__InFlight__Requests", 1, 1_000_000)]
    public int Requests { get; set; } = 20_000;

    /// <summary>Maximum number of concurrent requests of one domain, 1 to 1,000,000.</summary>
    [SettingRange("Proxy__InFlight__RequestsPerDomain", 1, 1_000_000)]
    public int RequestsPerDomain { get; set; } = 16_000;

    /// <summary>Maximum number of concurrent requests of one caller, 1 to 1,000,000.</summary>
    [SettingRange("Proxy__InFlight__RequestsPerCaller", 1, 1_000_000)]
    public int RequestsPerCaller { get; set; } = 12_000;

    /// <summary>Maximum memory for the bodies of all requests in bytes, 1 MiB to 1 TiB.</summary>
    [SettingRange("Proxy__InFlight__Bytes", 1L << 20, 1L << 40)]
    public long Bytes { get; set; } = 768L << 20;

    /// <summary>Maximum memory for the bodies of one domain in bytes, 1 MiB to 1 TiB.</summary>
    [SettingRange("Proxy__InFlight__BytesPerDomain", 1L << 20, 1L << 40)]
    public long BytesPerDomain { get; set; } = 384L << 20;

    /// <summary>Maximum memory for the bodies of one caller in bytes, 1 MiB to 1 TiB.</summary>
    [SettingRange("Proxy__InFlight__BytesPerCaller", 1L << 20, 1L << 40)]
    public long BytesPerCaller { get; set; } = 256L << 20;

    /// <summary>Maximum number of JSON values and member names in one body, 1,000 to 100,000,000.</summary>
    [SettingRange("Proxy__InFlight__JsonTokens", 1_000, 100_000_000)]
    public int JsonTokens { get; set; } = 1_000_000;
}

[OptionsValidator]
internal sealed partial class InFlightOptionsValidator : IValidateOptions<InFlightOptions>;
