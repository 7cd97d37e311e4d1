/** Architectures as lists of phases and buffers; knows neither CPU nor GPU. */
package io.github.spike4j.model;
