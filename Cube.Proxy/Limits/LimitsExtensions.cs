namespace Cube.Proxy.Limits;

internal static class LimitsExtensions
{
    public static WebApplicationBuilder AddInFlightLimits(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptionsWithValidateOnStart<InFlightOptions, InFlightOptionsValidator>().BindConfiguration(InFlightOptions.Section);
        builder.Services.AddOptionsWithValidateOnStart<BackendLimitOptions, BackendLimitOptionsValidator>().BindConfiguration(BackendLimitOptions.Section);
        builder.Services.AddSingleton<BackendQueues>().AddSingleton<InFlightCounter>().AddHostedService<MemoryReleaseService>();
        return builder;
    }
}
