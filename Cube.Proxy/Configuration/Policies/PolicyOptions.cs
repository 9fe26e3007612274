namespace Cube.Proxy.Configuration.Policies;

/// <summary>The settings of the section <c>Attestation</c> that policies depend on.</summary>
internal sealed class PolicyOptions
{
    public const string Section = "Attestation";

    /// <summary>Development only: simulated evidence is accepted where a policy names it. The proxy does not start with it in Production.</summary>
    public bool Simulated { get; set; }

    /// <summary>The platform's first policy, as JSON or as the path of a file. It is stored where the platform has none. Without a policy, every machine is refused.</summary>
    public string? FirstPolicy { get; set; }
}
