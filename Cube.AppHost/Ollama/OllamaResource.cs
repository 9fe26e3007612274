namespace Aspire.Hosting.ApplicationModel;

/// <summary>An Ollama server in a container.</summary>
internal sealed class OllamaResource(string name) : ContainerResource(name), IResourceWithConnectionString
{
    public const string EndpointName = "http";

    public EndpointReference Endpoint => new(this, EndpointName);

    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"Endpoint={Endpoint.Property(EndpointProperty.Url)}");
}

/// <summary>A model of the server; healthy when the server lists it.</summary>
internal sealed class OllamaModelResource(string name, string modelName, OllamaResource parent)
    : Resource(name), IResourceWithParent<OllamaResource>, IResourceWithConnectionString
{
    /// <summary>Name with tag, as the server lists it; the default tag is <c>latest</c>.</summary>
    public string ModelName { get; } = modelName.Contains(':', StringComparison.Ordinal) ? modelName : $"{modelName}:latest";

    public OllamaResource Parent => parent;

    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{parent};Model={ModelName}");
}
