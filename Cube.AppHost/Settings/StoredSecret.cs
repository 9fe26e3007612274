using Aspire.Hosting.Publishing;

namespace Cube.AppHost.Settings;

/// <summary>
/// Default of a secret parameter: generated once and stored in the data directory, next to the data that it protects.
/// In a published manifest, the deployment tool generates it.
/// </summary>
internal sealed class StoredSecret(DataDirectory data, string name) : ParameterDefault
{
    public override string GetDefaultValue() => data.Secret(name, out _);

    public override void WriteToManifest(ManifestPublishingContext context) =>
        new GenerateParameterDefault { MinLength = 24, Special = false }.WriteToManifest(context);
}
