using System.Text.Json.Serialization;
using Cube.Identity.Callers;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Cube.Identity.OpenApi;

/// <summary>The OpenAPI document of this service, generated from its endpoints: <c>/openapi/v1.json</c>.</summary>
internal static class OpenApiExtensions
{
    private const string Bearer = "bearer";

    public static WebApplicationBuilder AddApiDocument(this WebApplicationBuilder builder)
    {
        builder.Services.AddOpenApi("v1", static options => options
            .AddDocumentTransformer(static (document, _, _) =>
            {
                document.Info = new OpenApiInfo
                {
                    Title = "Cube identity",
                    Version = HealthEndpoints.Version,
                    Description = "Manages users, tokens, domains, roles, members, invitations and personal access tokens, and reads the administrative journal.",
                };
                // No server address: clients reach the service directly or through the proxy.
                document.Servers = [];
                document.Components ??= new OpenApiComponents();
                document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
                {
                    [Bearer] = new OpenApiSecurityScheme
                    {
                        Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "An access token. Endpoints that say so also accept a personal access token.",
                    },
                };
                return Task.CompletedTask;
            })
            .AddSchemaTransformer(static (schema, context, _) =>
            {
                // A property that is omitted when null is not required.
                foreach (var property in context.JsonTypeInfo.Properties)
                {
                    if (property.AttributeProvider?.GetCustomAttributes(typeof(JsonIgnoreAttribute), inherit: true) is [JsonIgnoreAttribute { Condition: JsonIgnoreCondition.WhenWritingNull }])
                    {
                        schema.Required?.Remove(property.Name);
                    }
                }

                return Task.CompletedTask;
            })
            .AddOperationTransformer(DescribeAsync));
        return builder;
    }

    public static IEndpointRouteBuilder MapApiDocument(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapOpenApi("/openapi/v1.json").AllowAnonymous();
        return endpoints;
    }

    /// <summary>Adds the error response and the required authorization to every operation.</summary>
    private static async Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken ct)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        operation.Responses ??= [];
        operation.Responses["default"] = new OpenApiResponse
        {
            Description = "The request failed.",
            Content = new Dictionary<string, OpenApiMediaType>
            {
                ["application/json"] = new() { Schema = await context.GetOrCreateSchemaAsync(typeof(ManagementError), null, ct) },
            },
        };
        if (!metadata.OfType<IAllowAnonymous>().Any())
        {
            operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Bearer, context.Document)] = [] }];
        }

        if (metadata.OfType<DomainAction>().FirstOrDefault() is { } action)
        {
            operation.Description = $"Requires the action {action.Name} in the domain. Accepts personal access tokens with a scope for that action.";
        }
    }
}
