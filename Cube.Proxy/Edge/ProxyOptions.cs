using System.ComponentModel.DataAnnotations;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Edge;

/// <summary>The section <c>Proxy</c>.</summary>
internal sealed class ProxyOptions : IValidatableObject
{
    public const string Section = "Proxy";

    /// <summary>Largest request body in bytes, 1 KiB to 1 GiB.</summary>
    [SettingRange("Proxy__MaxRequestBodyBytes", 1024.0, 1073741824.0)]
    public long MaxRequestBodyBytes { get; set; } = 32 << 20;

    /// <summary>Maximum number of images in one request, 1 to 1,000.</summary>
    [SettingRange("Proxy__MaxImages", 1, 1000)]
    public int MaxImages { get; set; } = 100;

    /// <summary>Maximum number of pixels of all images in one request, in millions, 1 to 10,000.</summary>
    [SettingRange("Proxy__MaxImageMegapixels", 1, 10_000)]
    public int MaxImageMegapixels { get; set; } = 256;

    /// <summary>Maximum time until an agent's response or the first event of a stream, 1 second to 1 hour. It includes loading the model.</summary>
    [SettingRange("Proxy__ActivityTimeout", "00:00:01", "01:00:00")]
    public TimeSpan ActivityTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Maximum time between two events of a stream, 1 second to 1 hour.</summary>
    [SettingRange("Proxy__StreamIdleTimeout", "00:00:01", "01:00:00")]
    public TimeSpan StreamIdleTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Maximum duration of a stream, 1 second to 24 hours.</summary>
    [SettingRange("Proxy__StreamTotalTimeout", "00:00:01", "1.00:00:00")]
    public TimeSpan StreamTotalTimeout { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Maximum time in which a client reads nothing of a response, 1 second to 1 hour; then the proxy aborts the connection. Slow clients are not affected.</summary>
    [SettingRange("Proxy__ClientStallTimeout", "00:00:01", "01:00:00")]
    public TimeSpan ClientStallTimeout { get; set; } = TimeSpan.FromMinutes(2);

    public CorsOriginOptions Cors { get; set; } = new();

    /// <summary>
    /// A secret of at least 16 characters that all replicas share, so that a user has the same prefix cache through each replica. Without it, each process generates its own.
    /// </summary>
    [MinLength(16, ErrorMessage = "Proxy__CacheSaltKey must have at least 16 characters.")]
    public string? CacheSaltKey { get; set; }

    /// <summary>Networks (CIDR) of load balancers in front of the proxy whose <c>X-Forwarded-For</c> is trusted. None by default.</summary>
    public string[] TrustedProxies { get; set; } = [];

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
    [
        .. Cors.Origins.Where(static origin => !CorsOriginOptions.IsOrigin(origin))
            .Select(static origin => new ValidationResult($"Proxy__Cors__Origins holds '{origin}', which is not an origin such as https://app.example.com.")),
        .. TrustedProxies.Where(static network => !System.Net.IPNetwork.TryParse(network, out _))
            .Select(static network => new ValidationResult($"Proxy__TrustedProxies holds '{network}', which is not a network such as 10.0.0.0/8.")),
    ];
}

[OptionsValidator]
internal sealed partial class ProxyOptionsValidator : IValidateOptions<ProxyOptions>;
