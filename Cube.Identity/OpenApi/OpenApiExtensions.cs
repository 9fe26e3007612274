using System.Text.Json.Serialization;
using Cube.Identity.Callers;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Hosting;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Cube.Identity.OpenApi;

/// <summary>The document of this service's API, out of the endpoints themselves: <c>/openapi/v1.json</c>.</summary>
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
                // Whoever asks reached it through the proxy or directly: the address is the one that he used.
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
                // What is left out where it is null is not required.
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
        endpoints.MapOpenApi("/openapi/{documentName}.json").AllowAnonymous();
        return endpoints;
    }

    /// <summary>What every endpoint has in common: errors of one shape, and what a caller needs.</summary>
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
