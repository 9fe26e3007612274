using Aspire.Hosting.Publishing;

namespace Cube.AppHost.Settings;

/// <summary>
/// Default of a secret parameter: generated once and kept in the data directory, with the data that it opens. Published, it is
/// generated anew by whoever deploys.
/// </summary>
internal sealed class StoredSecret(DataDirectory data, string name) : ParameterDefault
{
    public override string GetDefaultValue() => data.Secret(name, out _);

    public override void WriteToManifest(ManifestPublishingContext context) =>
        new GenerateParameterDefault { MinLength = 24, Special = false }.WriteToManifest(context);
}
