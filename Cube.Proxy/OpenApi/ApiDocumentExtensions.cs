using Cube.Inference;
using Cube.Proxy.Authorization;
using Cube.Proxy.Edge;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Cube.Proxy.OpenApi;

/// <summary>Generates <c>/openapi/v1.json</c> from the metadata of the proxy's endpoints. It does not describe the bodies of the inference APIs: OpenAI, Ollama and vLLM document them.</summary>
internal static class ApiDocumentExtensions
{
    private const string DocumentName = "v1";
    private const string Bearer = "bearer";
    private const string ErrorEnvelope = "Error";

    public static WebApplicationBuilder AddApiDocument(this WebApplicationBuilder builder)
    {
        builder.Services.AddOpenApi(DocumentName, static options => options
            .AddDocumentTransformer(static (document, _, _) =>
            {
                document.Info = new OpenApiInfo { Title = "Cube inference", Version = HealthEndpoints.Version };
                document.Servers = [];
                document.Tags = null;
                document.Components ??= new OpenApiComponents();
                document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
                {
                    [Bearer] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "An access token. Endpoints below a domain also accept personal access tokens." },
                };
                document.AddComponent<IOpenApiSchema>(ErrorEnvelope, CreateErrorEnvelope());
                return Task.CompletedTask;
            })
            .AddSchemaTransformer(TransformSchema)
            .AddOperationTransformer(DescribeAsync));
        return builder;
    }

    public static WebApplication MapApiDocument(this WebApplication app)
    {
        // Generated once: it depends on nothing but the endpoints, and any caller can request it.
        var document = new Lazy<Task<string>>(async () =>
        {
            await using var scope = app.Services.CreateAsyncScope();
            var generated = await scope.ServiceProvider.GetRequiredKeyedService<IOpenApiDocumentProvider>(DocumentName).GetOpenApiDocumentAsync(CancellationToken.None);
            return await generated.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1);
        });
        app.MapGet("/openapi/v1.json", async () => Results.Text(await document.Value, "application/json")).AllowAnonymous().ExcludeFromDescription();
        return app;
    }

    /// <summary>Makes nullable members optional, because responses omit null members, and forbids additional members.</summary>
    private static Task TransformSchema(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken ct)
    {
        foreach (var property in context.JsonTypeInfo.Properties.Where(static property => property.IsGetNullable))
        {
            schema.Required?.Remove(property.Name);
        }

        if (context.JsonTypeInfo.Type.Namespace?.StartsWith("Cube.Proxy", StringComparison.Ordinal) is true && schema.Type?.HasFlag(JsonSchemaType.Object) is true)
        {
            schema.AdditionalPropertiesAllowed = false;
        }

        return Task.CompletedTask;
    }

    private static async Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken ct)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        var domain = metadata.OfType<DomainEndpointMetadata>().LastOrDefault();
        AddPathParameters(operation, context.Description.RelativePath ?? "");
        // ASP.NET's tags are the names of classes.
        operation.Tags = null;
        operation.Responses ??= [];
        operation.Responses["default"] = Json("An error.", domain is null
            ? await context.GetOrCreateSchemaAsync(typeof(ManagementError), null, ct)
            : new OpenApiSchemaReference(ErrorEnvelope, context.Document));
        if (!metadata.OfType<IAllowAnonymous>().Any())
        {
            operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Bearer, context.Document)] = [] }];
        }

        if (metadata.OfType<OperationDescription>().LastOrDefault() is { } description)
        {
            operation.OperationId = description.Id;
            operation.Description = $"{description.Text} {AuthorizationText(metadata)}".TrimEnd();
            foreach (var name in description.Query)
            {
                AddParameter(operation, name, ParameterLocation.Query, null);
            }

            if (description.Body is { } body)
            {
                operation.RequestBody = Body("application/json", await context.GetOrCreateSchemaAsync(body, null, ct));
            }
        }
        else if (metadata.OfType<InferenceEndpoint>().LastOrDefault() is { } inference)
        {
            Describe(operation, inference, AuthorizationText(metadata));
        }
    }

    private static void Describe(OpenApiOperation operation, InferenceEndpoint endpoint, string authorization)
    {
        operation.OperationId = endpoint.Name;
        operation.Description = authorization;
        operation.Responses ??= [];
        operation.Responses["200"] = Json("A response of the inference API.", new OpenApiSchema { Type = JsonSchemaType.Object });
        if (endpoint is ForwardedEndpoint forwarded)
        {
            operation.RequestBody = Body(
                forwarded.Body == BodyKind.Form ? "multipart/form-data" : "application/json",
                new OpenApiSchema
                {
                    Type = JsonSchemaType.Object,
                    Required = forwarded.ChangesModels ? null : new HashSet<string> { "model" },
                    Properties = new Dictionary<string, IOpenApiSchema> { ["model"] = new OpenApiSchema { Type = JsonSchemaType.String } },
                });
        }
    }

    private static string AuthorizationText(IList<object> metadata)
    {
        var requirements = metadata.OfType<AuthorizationPolicy>().SelectMany(static policy => policy.Requirements).ToList();
        return requirements.OfType<DomainActionRequirement>().FirstOrDefault() is { } action
            ? action.Action is { } name
                ? $"The caller's role in the domain must allow {name}."
                : "For platform administrators who are members of the domain. The attestation policy and the machine must allow model changes."
            : requirements.OfType<PlatformAdministratorRequirement>().Any() ? "For platform administrators." : "";
    }

    private static void AddPathParameters(OpenApiOperation operation, string path)
    {
        foreach (var segment in path.Split('/').Where(static segment => segment.StartsWith('{')))
        {
            var name = segment.Trim('{', '}', '*').Split(':')[0];
            if (operation.Parameters?.Any(parameter => parameter.Name == name) is not true)
            {
                AddParameter(operation, name, ParameterLocation.Path, name == "domainId" ? "uuid" : null);
            }
        }
    }

    private static void AddParameter(OpenApiOperation operation, string name, ParameterLocation location, string? format) => (operation.Parameters ??= []).Add(new OpenApiParameter
    {
        Name = name,
        In = location,
        Required = location == ParameterLocation.Path,
        Schema = new OpenApiSchema { Type = JsonSchemaType.String, Format = format },
    });

    private static OpenApiRequestBody Body(string mediaType, IOpenApiSchema schema) =>
        new() { Required = true, Content = new Dictionary<string, OpenApiMediaType> { [mediaType] = new() { Schema = schema } } };

    private static OpenApiResponse Json(string description, IOpenApiSchema schema) =>
        new() { Description = description, Content = new Dictionary<string, OpenApiMediaType> { ["application/json"] = new() { Schema = schema } } };

    /// <returns>The schema of OpenAI's error envelope.</returns>
    private static OpenApiSchema CreateErrorEnvelope()
    {
        static OpenApiSchema Text(bool isNullable) => new() { Type = isNullable ? JsonSchemaType.String | JsonSchemaType.Null : JsonSchemaType.String };
        var error = new OpenApiSchema
        {
            Type = JsonSchemaType.Object,
            Required = new HashSet<string> { "message", "type", "param", "code" },
            AdditionalPropertiesAllowed = false,
            Properties = new Dictionary<string, IOpenApiSchema> { ["message"] = Text(false), ["type"] = Text(false), ["param"] = Text(true), ["code"] = Text(true) },
        };
        return new OpenApiSchema
        {
            Type = JsonSchemaType.Object,
            Required = new HashSet<string> { "error" },
            AdditionalPropertiesAllowed = false,
            Properties = new Dictionary<string, IOpenApiSchema> { ["error"] = error },
        };
    }
}
