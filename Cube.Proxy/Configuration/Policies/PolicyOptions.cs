namespace Cube.Proxy.Configuration.Policies;

/// <summary>Settings of the section <c>Attestation</c> that configure policies.</summary>
internal sealed class PolicyOptions
{
    public const string Section = "Attestation";

    /// <summary>Accepts simulated Evidence if a policy allows it. Development only: the proxy does not start with it in Production.</summary>
    public bool Simulated { get; set; }

    /// <summary>The seed policy of the platform, as JSON or as the path of a file. The proxy stores it if the platform has no policy. Without a platform policy the proxy rejects every machine.</summary>
    public string? FirstPolicy { get; set; }
}
