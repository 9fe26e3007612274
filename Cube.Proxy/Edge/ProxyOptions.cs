using Cube.Proxy.Edge;
using Microsoft.Extensions.Options;

namespace Cube.Proxy.Edge;

/// <summary>The section <c>Proxy</c>.</summary>
internal sealed class ProxyOptions
{
    public const string Section = "Proxy";

    /// <summary>Largest request body in bytes, 1 KiB to 1 GiB.</summary>
    public long MaxRequestBodyBytes { get; set; } = 32 << 20;

    /// <summary>Maximum number of images in one request, 1 to 1,000.</summary>
    public int MaxImages { get; set; } = 100;

    /// <summary>Maximum number of pixels of all images in one request, in millions, 1 to 10,000.</summary>
    public int MaxImageMegapixels { get; set; } = 256;

    /// <summary>Maximum time until an agent's response or the first event of a stream, 1 second to 1 hour. It includes loading the model.</summary>
    public TimeSpan ActivityTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Maximum time between two events of a stream, 1 second to 1 hour.</summary>
    public TimeSpan StreamIdleTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Maximum duration of a stream, 1 second to 24 hours.</summary>
    public TimeSpan StreamTotalTimeout { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Maximum time in which a client reads nothing of a response, 1 second to 1 hour; then the proxy aborts the connection. Slow clients are not affected.</summary>
    public TimeSpan ClientStallTimeout { get; set; } = TimeSpan.FromMinutes(2);

    public CorsOriginOptions Cors { get; set; } = new();

    /// <summary>
    /// A secret of at least 16 characters that all replicas share, so that a user has the same prefix cache through each replica. Without it, each process generates its own.
    /// </summary>
    public string? CacheSaltKey { get; set; }

    /// <summary>Networks (CIDR) of load balancers in front of the proxy whose <c>X-Forwarded-For</c> is trusted. None by default.</summary>
    public string[] TrustedProxies { get; set; } = [];
}

internal sealed class ProxyOptionsValidator : IValidateOptions<ProxyOptions>
{
    public ValidateOptionsResult Validate(string? name, ProxyOptions options)
    {
        var faults = new ValidateOptionsResultBuilder();
        if (options.MaxRequestBodyBytes is < 1024 or > 1 << 30)
        {
            faults.AddError("Proxy__MaxRequestBodyBytes must be between 1024 and 1073741824.");
        }

        if (options.MaxImages is < 1 or > 1000)
        {
            faults.AddError("Proxy__MaxImages must be between 1 and 1000.");
        }

        if (options.MaxImageMegapixels is < 1 or > 10_000)
        {
            faults.AddError("Proxy__MaxImageMegapixels must be between 1 and 10000.");
        }

        if (options.ActivityTimeout < TimeSpan.FromSeconds(1) || options.ActivityTimeout > TimeSpan.FromHours(1))
        {
            faults.AddError("Proxy__ActivityTimeout must be between 00:00:01 and 01:00:00.");
        }

        if (options.StreamIdleTimeout < TimeSpan.FromSeconds(1) || options.StreamIdleTimeout > TimeSpan.FromHours(1))
        {
            faults.AddError("Proxy__StreamIdleTimeout must be between 00:00:01 and 01:00:00.");
        }

        if (options.StreamTotalTimeout < TimeSpan.FromSeconds(1) || options.StreamTotalTimeout > TimeSpan.FromHours(24))
        {
            faults.AddError("Proxy__StreamTotalTimeout must be between 00:00:01 and 1.00:00:00.");
        }

        if (options.ClientStallTimeout < TimeSpan.FromSeconds(1) || options.ClientStallTimeout > TimeSpan.FromHours(1))
        {
            faults.AddError("Proxy__ClientStallTimeout must be between 00:00:01 and 01:00:00.");
        }

        foreach (var origin in options.Cors.Origins.Where(static origin => !CorsOriginOptions.IsOrigin(origin)))
        {
            faults.AddError($"Proxy__Cors__Origins holds '{origin}', which is no origin such as https://app.example.com.");
        }

        if (options.CacheSaltKey is { Length: < 16 })
        {
            faults.AddError("Proxy__CacheSaltKey must have at least 16 characters.");
        }

        foreach (var network in options.TrustedProxies.Where(static network => !System.Net.IPNetwork.TryParse(network, out _)))
        {
            faults.AddError($"Proxy__TrustedProxies holds '{network}', which is no network such as 10.0.0.0/8.");
        }

        return faults.Build();
    }
}
