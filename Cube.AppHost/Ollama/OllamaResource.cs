namespace Aspire.Hosting.ApplicationModel;

/// <summary>An Ollama server in a container.</summary>
internal sealed class OllamaResource(string name) : ContainerResource(name), IResourceWithConnectionString
{
    public const string EndpointName = "http";

    public EndpointReference Endpoint => new(this, EndpointName);

    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"Endpoint={Endpoint.Property(EndpointProperty.Url)}");
}

/// <summary>A model that the server holds; healthy when it can be used.</summary>
internal sealed class OllamaModelResource(string name, string modelName, OllamaResource parent)
    : Resource(name), IResourceWithParent<OllamaResource>, IResourceWithConnectionString
{
    /// <summary>As the server lists it: a name without a tag means <c>latest</c>.</summary>
    public string ModelName { get; } = modelName.Contains(':', StringComparison.Ordinal) ? modelName : $"{modelName}:latest";

    public OllamaResource Parent => parent;

    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{parent};Model={ModelName}");
}
