using Microsoft.Extensions.Options;

namespace Cube.Proxy;

/// <summary>The section <c>Proxy</c>.</summary>
internal sealed class ProxyOptions
{
    public const string Section = "Proxy";

    /// <summary>Largest request body in bytes, 1 KiB to 1 GiB.</summary>
    public long MaxRequestBodyBytes { get; set; } = 32 << 20;

    /// <summary>How long an agent may be silent within one exchange: 1 second to 1 hour. Loading a model counts.</summary>
    public TimeSpan ActivityTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Networks (CIDR) of load balancers in front of this proxy whose <c>X-Forwarded-For</c> counts. None by default.</summary>
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

        if (options.ActivityTimeout < TimeSpan.FromSeconds(1) || options.ActivityTimeout > TimeSpan.FromHours(1))
        {
            faults.AddError("Proxy__ActivityTimeout must be between 00:00:01 and 01:00:00.");
        }

        foreach (var network in options.TrustedProxies.Where(static network => !System.Net.IPNetwork.TryParse(network, out _)))
        {
            faults.AddError($"Proxy__TrustedProxies holds '{network}', which is no network such as 10.0.0.0/8.");
        }

        return faults.Build();
    }
}
